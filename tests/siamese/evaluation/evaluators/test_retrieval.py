"""Finding group mates, against a restatement that sorts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.data.group import Group
from siamese.errors import UserError
from siamese.evaluation.evaluators.retrieval import evaluate_retrieval


def by_hand(groups: list[Group], vectors: dict[str, np.ndarray]) -> list[int]:
    """The rank of each query's first mate, by sorting all other texts."""
    texts = list(vectors)
    ranks = []
    for query in texts:
        mates = {t for g in groups if query in g.texts and len(g.texts) > 1 for t in g.texts}
        mates -= {query}
        if not mates:
            continue

        def cosine(text: str, query: str = query) -> float:
            a, b = vectors[query], vectors[text]
            return float(a @ b / np.sqrt((a @ a) * (b @ b)))

        others = [t for t in texts if t != query]
        others.sort(key=cosine, reverse=True)
        first = next(i for i, t in enumerate(others) if t in mates)
        ranks.append(1 + sum(t not in mates for t in others[:first]))
    return ranks


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)))
def test_ranks_equal_their_definition(lists) -> None:
    groups = [Group(str(i), tuple(texts), ("x", "y")) for i, texts in enumerate(lists)]
    rng = np.random.default_rng(1)
    table = {t: rng.normal(size=3).astype(np.float32) for t in "abcdefghxy"}
    seen = dict.fromkeys(t for g in groups for t in (*g.texts, *g.negatives))
    vectors = {text: table[text] for text in seen}

    def run():
        return evaluate_retrieval(
            groups, lambda texts: np.stack([table[t] for t in texts]), "cosine"
        )

    if all(len(texts) < 2 for texts in lists):
        with pytest.raises(UserError, match="nothing to find"):
            run()
        return
    found = run()
    ranks = np.array(by_hand(groups, vectors))
    assert (found.texts, found.queries) == (len(vectors), len(ranks))
    assert found.recall == {k: pytest.approx(np.mean(ranks <= k)) for k in (1, 5, 10)}
    assert found.mrr == pytest.approx(np.mean(1 / ranks))


def test_an_example_on_paper() -> None:
    # a finds b first; b finds c before a; c is in no group of two, and only searched.
    groups = [Group("1", ("a", "b")), Group("2", ("c",), ("d",))]
    table = {"a": (1.0, 0.0), "b": (0.8, 0.6), "c": (0.6, 0.8), "d": (0.0, -1.0)}
    found = evaluate_retrieval(
        groups, lambda texts: np.array([table[t] for t in texts], np.float32), "cosine"
    )
    assert found.as_dict() == {
        **{"texts": 4, "queries": 2, "mrr": 0.75},
        **{"recall_at_1": 0.5, "recall_at_5": 1.0, "recall_at_10": 1.0},
    }


def test_of_equally_near_texts_the_mate_comes_last() -> None:
    groups = [Group("1", ("a", "b")), Group("2", ("c",), ("d",))]
    table = {"a": (1.0, 0.0), "b": (1.0, 0.0), "c": (1.0, 0.0), "d": (0.0, 1.0)}
    found = evaluate_retrieval(
        groups, lambda texts: np.array([table[t] for t in texts], np.float32), "cosine"
    )
    assert (found.recall[1], found.mrr) == (0.0, 0.5)
