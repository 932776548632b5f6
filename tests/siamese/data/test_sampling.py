"""Which texts make which batch."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from draws import cut, draw, make_groups
from hypothesis import given
from hypothesis import strategies as st

from siamese.config.recipe import Sampling
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.data.sampling import steps_per_epoch
from siamese.errors import UserError


def steps_of(groups: list[Group], sampling: Sampling) -> int:
    return steps_per_epoch(TrainingData.of_groups(groups), sampling)


group_sizes = st.lists(st.integers(2, 6), min_size=4, max_size=30)
seeds = st.integers(0, 2**32 - 1)


@given(group_sizes, seeds, st.integers(0, 50), st.data())
def test_a_batch_has_two_different_texts_of_distinct_groups(sizes, seed, epoch, data) -> None:
    groups = make_groups(sizes)
    sampling = Sampling(batch_groups=data.draw(st.integers(2, len(groups))))
    step = data.draw(st.integers(0, steps_of(groups, sampling) - 1))
    rows = draw(groups, sampling, 2, seed=seed, epoch=epoch, step=step)
    assert len(rows.first) == len(rows.second) == sampling.batch_groups
    drawn = [text.split("t")[0] for text in rows.first]
    assert len(set(drawn)) == sampling.batch_groups
    for first, second, own in zip(rows.first, rows.second, rows.own, strict=True):
        assert first != second
        assert first in own and second in own
    own_texts = {text for own in rows.own for text in own}
    assert not own_texts & set(rows.negatives)


@given(group_sizes, seeds, st.sampled_from([1, 2, 4]), st.data())
def test_workers_together_draw_what_one_would(sizes, seed, workers, data) -> None:
    groups, sampling = make_groups(sizes), Sampling(batch_groups=4)
    row_groups = cut(len(groups), data)
    at = {"seed": seed, "epoch": 1, "step": 0}
    whole = draw(groups, sampling, 2, row_groups, **at)
    shares = [
        draw(groups, sampling, 2, row_groups, **at, rank=rank, world_size=workers)
        for rank in range(workers)
    ]
    for name in ("first", "second", "negatives", "own"):
        together = [item for share in shares for item in getattr(share, name)]
        assert together == getattr(whole, name)
    # All texts differ here: each has the same noise, whoever holds it.
    noise = {t: n for s in shares for t, n in zip(s.texts, s.noise.tolist(), strict=True)}
    assert noise == dict(zip(whole.texts, whole.noise.tolist(), strict=True))


def test_every_ordered_pair_of_a_groups_texts_is_equally_likely() -> None:
    groups, sampling = make_groups([3, 3]), Sampling(batch_groups=2)
    counts: dict[tuple[str, str], int] = {}
    for epoch in range(3000):
        rows = draw(groups, sampling, seed=5, epoch=epoch, step=0)
        for pair in zip(rows.first, rows.second, strict=True):
            if pair[0].startswith("g0"):
                counts[pair] = counts.get(pair, 0) + 1
    assert len(counts) == 6
    # 3000 draws over 6 pairs: 500 each, standard deviation 20.
    assert all(400 < count < 600 for count in counts.values())


def test_hard_negatives_of_a_group_are_different_and_as_many_as_there_are() -> None:
    groups, sampling = make_groups([2] * 8), Sampling(batch_groups=8)
    rows = draw(groups, sampling, 2, step=0)
    assert len(set(rows.negatives)) == len(rows.negatives) == 2 * (0 + 1 + 2 + 2)


def test_a_draw_depends_on_seed_epoch_and_step_only() -> None:
    groups, sampling = make_groups([4] * 40), Sampling(batch_groups=8)
    at = [(s, e, t) for s in (0, 1) for e in (0, 1) for t in (0, 1)]
    draws = [draw(groups, sampling, seed=s, epoch=e, step=t).texts for s, e, t in at]
    again = [draw(groups, sampling, seed=s, epoch=e, step=t).texts for s, e, t in reversed(at)]
    assert draws == again[::-1]
    assert all(a != b for a, b in pairwise(draws))


def test_steps_of_an_epoch() -> None:
    groups = make_groups([2] * 11 + [1] * 3)  # the last are single-text groups
    assert steps_of(groups, Sampling(batch_groups=4)) == 2
    data = replace(TrainingData.of_groups(groups), texts_read=103_700)
    # The notebook's log: 202 steps.
    assert steps_per_epoch(data, Sampling(batch_groups=4, method="notebook")) == 202


@pytest.mark.parametrize("method", ["pairs", "by_size", "notebook"])
def test_fewer_groups_than_a_batch_are_refused_with_the_numbers(method) -> None:
    with pytest.raises(UserError, match=r"3 groups are .*batch_groups=8"):
        steps_of(make_groups([9] * 3), Sampling(batch_groups=8, method=method))


SINGLE_TEXT = [
    Group(f"l{g}", (f"l{g}t",), tuple(f"l{g}n{n}" for n in range(1 + g % 3))) for g in range(9)
]


@given(st.integers(1, 9), seeds, st.integers(0, 9), st.sampled_from([1, 2, 4]), st.data())
def test_as_many_labelled_negative_pairs_are_drawn_beside_the_groups(
    singles, seed, epoch, workers, data
) -> None:
    groups = make_groups([3] * 9) + SINGLE_TEXT[:singles]
    row_groups, sampling = cut(len(groups), data), Sampling(batch_groups=4)
    whole, *shares = [
        draw(groups, sampling, 2, row_groups, seed, epoch, step=1, rank=rank, world_size=size)
        for size in (1, workers)
        for rank in range(size)
    ]
    texts, negatives = whole.others[:4], whole.others[4:]
    assert len(set(texts)) == min(singles, 4)
    for text, negative in zip(texts, negatives, strict=True):
        assert negative in groups[9 + int(text[1])].negatives
    assert all(own[0].startswith("g") for own in whole.own)
    assert [t for s in shares for t in s.others[: 4 // workers]] == texts
    assert [t for s in shares for t in s.others[4 // workers :]] == negatives
    noise = {}
    for rows in shares:
        of = rows.noise[2 * len(rows.own) :].tolist()
        noise |= dict(zip(zip(rows.others, of[: len(rows.others)], strict=False), of, strict=False))
    of_whole = whole.noise[8:16].tolist()
    assert set(zip(whole.others, of_whole, strict=True)) == noise.keys()


def test_a_pass_takes_each_group_of_one_text_once() -> None:
    groups = make_groups([2] * 9) + SINGLE_TEXT
    drawn: list[str] = []
    for at in range(8):  # two steps an epoch, and two a pass
        sampling = Sampling(batch_groups=4)
        rows = draw(groups, sampling, 1, (7, 8, 3), seed=3, epoch=at // 2, step=at % 2)
        drawn += rows.others[:4]
    passes = [set(drawn[start : start + 8]) for start in range(0, 32, 8)]
    assert all(len(texts) == 8 for texts in passes) and len(set(drawn)) == 9


def test_pairs_are_rows_of_texts_that_are_labelled() -> None:
    groups = make_groups([3] * 8) + SINGLE_TEXT
    rows = draw(groups, Sampling(batch_groups=8), 2, step=0)
    labelled = {(text, far) for group in groups for text in group.texts for far in group.negatives}
    pairs = [(rows.texts[one], rows.texts[other]) for one, other in rows.pairs]
    assert len(set(pairs)) == len(pairs) == len(rows.grades) == 8 + 8 + 2 * len(rows.negatives)
    assert pairs[:8] == list(zip(rows.first, rows.second, strict=True))
    assert set(pairs[8:]) <= labelled
    assert rows.grades.tolist() == [1] * 8 + [0] * (8 + 2 * len(rows.negatives))


def test_without_hard_negatives_groups_of_one_text_are_left_out() -> None:
    groups = make_groups([2] * 4) + SINGLE_TEXT
    rows = draw(groups, Sampling(batch_groups=4), step=0)
    assert not rows.others and len(rows.texts) == len(rows.noise) == 8


@given(
    st.lists(st.integers(1, 6), min_size=4, max_size=30).filter(lambda s: sum(s) - len(s) >= 4),
    seeds,
    st.sampled_from([1, 2]),
    st.data(),
)
def test_by_size_a_pass_takes_a_group_of_n_texts_n_less_1_times(sizes, seed, workers, data) -> None:
    """Groups of one text are the last ones, and row groups may hold of both."""
    groups = make_groups(sorted(sizes, reverse=True))
    row_groups = cut(len(groups), data)
    sampling = Sampling(batch_groups=4, method="by_size")
    drawn: list[str] = []
    for step in range(sum(len(group.texts) - 1 for group in groups) // 4):
        for rank in range(workers):
            at = {"step": step, "rank": rank, "world_size": workers}
            rows = draw(groups, sampling, 0, row_groups, seed, 1, **at)
            assert all(one != two for one, two in zip(rows.first, rows.second, strict=True))
            drawn += [text.split("t")[0] for text in rows.first]
    most = {f"g{number}": len(group.texts) - 1 for number, group in enumerate(groups)}
    found = {group: drawn.count(group) for group in most}
    assert all(found[group] <= most[group] for group in most)
    # Only the last, incomplete batch is left out.
    assert sum(found.values()) == sum(most.values()) // 4 * 4


def labelled_groups(counts: list[tuple[int, int, int]]) -> list[Group]:
    """Groups of so many texts, positive pairs among them, and other pairs; one text: the last."""
    groups = []
    for g, (size, positives, others) in enumerate(counts):
        texts = tuple(f"g{g}t{t}" for t in range(size))
        near = [Pair(texts[n % size], texts[(n + 1) % size], 1) for n in range(positives)]
        far = [Pair(texts[n % size], f"g{g}o{n}", (0.0, 0.5)[n % 2]) for n in range(others)]
        negatives = tuple(pair.text2 for pair in far if pair.grade == 0)
        groups.append(Group(str(g), texts, negatives, tuple(near + far)))
    return sorted(groups, key=lambda group: len(group.texts) == 1)


labelled_counts = st.lists(
    st.tuples(st.integers(2, 5), st.integers(0, 5), st.integers(0, 4))
    | st.tuples(st.just(1), st.just(0), st.integers(1, 3)),
    min_size=6,
    max_size=20,
).filter(lambda counts: sum(size > 1 for size, _, _ in counts) >= 4)


@given(labelled_counts, seeds, st.sampled_from([1, 2]), st.data())
def test_labelled_pairs_are_taken_once_a_pass_and_groups_without_by_their_size(
    counts, seed, workers, data
) -> None:
    groups = labelled_groups(counts)
    row_groups = cut(len(groups), data)
    sampling = Sampling(batch_groups=4, method="labelled")
    steps = steps_of(groups, sampling)
    wanted: list[tuple[str, str]] = []
    for group in groups:
        near = [(p.text1, p.text2) for p in group.pairs if p.label]
        wanted += near or [(group.id, "any")] * (len(group.texts) - 1)
    assert steps == len(wanted) // 4
    found = []
    for step in range(steps):
        for rank in range(workers):
            at = {"step": step, "rank": rank, "world_size": workers}
            rows = draw(groups, sampling, 1, row_groups, seed, 1, **at)
            for one, two, own in zip(rows.first, rows.second, rows.own, strict=True):
                group = next(group for group in groups if group.texts == own)
                assert one in own and two in own and one != two
                has_labels = any(pair.label for pair in group.pairs)
                found.append((one, two) if has_labels else (group.id, "any"))
    assert not Counter(found) - Counter(wanted)


@given(labelled_counts, seeds, st.sampled_from([2, 4]), st.data())
def test_other_labelled_pairs_are_drawn_in_passes_with_their_grades(
    counts, seed, workers, data
) -> None:
    groups = labelled_groups(counts)
    row_groups, sampling = cut(len(groups), data), Sampling(batch_groups=4, method="labelled")
    grades = {(p.text1, p.text2): p.grade for group in groups for p in group.pairs if not p.label}
    whole, *shares = [
        draw(groups, sampling, 1, row_groups, seed, 0, step=0, rank=rank, world_size=size)
        for size in (1, workers)
        for rank in range(size)
    ]
    count = len(whole.others) // 2
    assert count == (4 if grades else 0)
    drawn = list(zip(whole.others[:count], whole.others[count:], strict=True))
    assert set(drawn) <= grades.keys() and len(set(drawn)) == min(len(grades), count)
    assert whole.grades[4 : 4 + count].tolist() == [grades[pair] for pair in drawn]
    pairs = [(whole.texts[one], whole.texts[two]) for one, two in whole.pairs[4 : 4 + count]]
    assert pairs == drawn
    each = count // workers
    together = [t for s in shares for t in zip(s.others[:each], s.others[each:], strict=True)]
    assert together == drawn


def test_a_group_without_labels_is_drawn_as_by_size() -> None:
    groups = make_groups([4, 2, 3, 5, 2, 6])
    labelled, by_size = (
        draw(groups, Sampling(batch_groups=4, method=method), 1, step=1)
        for method in ("labelled", "by_size")
    )
    assert labelled.texts == by_size.texts
