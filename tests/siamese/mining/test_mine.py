"""Negatives of groups in memory: what holds of any, against a restatement."""

import zlib
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.mining.mine import mine
from siamese.mining.pool import key_of

TEXT = st.text("abcAB!？ ", min_size=1, max_size=3).filter(str.strip)
PAIR = st.builds(Pair, TEXT, TEXT, st.sampled_from([0, 0.4, 0.5, 0.8, 1]))


@cache
def vector(text: str) -> np.ndarray:
    return np.random.default_rng(zlib.crc32(text.encode())).normal(size=4).astype(np.float32)


def embed(texts: list[str]) -> np.ndarray:
    return np.array([vector(text) for text in texts], np.float32).reshape(-1, 4)


def cosine(one: str, other: str) -> float:
    a, b = (vector(text).astype(np.float64) for text in (one, other))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@st.composite
def groups_of(draw) -> list[Group]:
    groups = draw(
        st.lists(
            st.tuples(
                st.lists(TEXT, min_size=1, max_size=3, unique=True),
                st.lists(TEXT, max_size=2, unique=True),
                st.lists(PAIR, max_size=2),
            ),
            min_size=1,
            max_size=5,
        )
    )
    made = [Group(str(i), tuple(t), tuple(n), tuple(p)) for i, (t, n, p) in enumerate(groups)]
    return [*made, Group("last", ("ab", "ba"))]


@given(groups_of(), st.lists(TEXT, max_size=4), st.integers(1, 3))
def test_each_group_gets_the_nearest_that_are_allowed_until_it_has_enough(
    groups, others, count
) -> None:
    every = {t for g in groups for t in (*g.texts, *g.negatives)} | set(others)
    every |= {t for g in groups for p in g.pairs for t in (p.text1, p.text2)}
    chosen = {key: min(t for t in every if key_of(t) == key) for key in map(key_of, every)}
    doubtful = {
        frozenset(map(key_of, (p.text1, p.text2))) for g in groups for p in g.pairs if p.grade > 0.4
    }
    keys = [{key_of(t) for t in g.texts} for g in groups]
    mined = mine(groups, embed, "cosine", others, count, margin=50)  # no limit but of negative ones
    for group, own, new in zip(groups, keys, mined.groups, strict=True):
        if len(group.texts) == 1:
            assert new == group
            continue
        near = own | {k for pair in doubtful if pair & own for k in pair}
        forbidden = near.union(*(each for each in keys if each & near))
        forbidden |= {key_of(t) for t in group.negatives}
        reference = positive_similarity(group)
        limit = reference + 49 * abs(reference)
        scores = {
            text: max(cosine(text, t) for t in group.texts)
            for key, text in chosen.items()
            if key not in forbidden
        }
        allowed = sorted((-s, text) for text, s in scores.items() if s < limit)
        lacking = max(count - len(group.negatives), 0)
        expected = [text for _, text in allowed[:lacking]]
        assert new == Group(group.id, group.texts, (*group.negatives, *expected), group.pairs)


def positive_similarity(group: Group) -> float:
    own = set(group.texts)
    pairs = [
        (p.text1, p.text2)
        for p in group.pairs
        if p.grade >= 0.8 and p.text1 in own and p.text2 in own
    ]
    # Of three texts, each with the next one is every two of them.
    pairs = pairs or list(combinations(group.texts, 2))
    return float(np.mean([cosine(*pair) for pair in pairs]))


def test_the_margin_keeps_away_what_is_as_near_as_the_groups_own_texts() -> None:
    table = {"a": (10, 0), "b": (8, 6), "near": (9, 1), "far": (0, 9), "c": (-9, 0), "d": (-8, 1)}

    def encode(texts: list[str]) -> np.ndarray:
        return np.array([table[text] for text in texts], np.float32)

    groups = [Group("1", ("a", "b")), Group("2", ("c", "d")), Group("3", ("near",), ("d",))]
    mined = mine(groups, encode, "cosine", ["far"], 1, margin=0.95)
    assert [group.negatives for group in mined.groups] == [("far",), ("far",), ("d",)]
    assert (mined.negatives, mined.widened, mined.searched) == (2, 2, 6)
    assert (mined.refused, mined.crowded) == (1, 1)
    assert [(each.text, each.negative) for each in mined.examples] == [("b", "far"), ("d", "far")]
    assert mined.examples[0].similarity == pytest.approx(0.6)
    unlimited = mine(groups, encode, "cosine", ["far"], 1, margin=9)
    assert unlimited.groups[0].negatives == ("near",)


def test_the_order_of_groups_and_texts_changes_nothing() -> None:
    words = [f"{a}{b}" for a in "甲乙丙丁戊" for b in "子丑寅卯"]
    groups = [Group(str(i), (words[2 * i], words[2 * i + 1])) for i in range(10)]
    one = mine(groups, embed, "cosine", ["子甲", "丑乙"], 2)
    other = mine(groups[::-1], embed, "cosine", ["丑乙", "子甲"], 2)
    assert one.groups == other.groups[::-1]
    assert one.negatives == other.negatives > 0
