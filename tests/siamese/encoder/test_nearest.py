"""The nearest embeddings are those of a plain comparison of all, to the last bit."""

import numpy as np
import pytest

from siamese.encoder import nearest
from siamese.encoder.nearest import Nearest, best_of, joined, may_be_best
from siamese.encoder.similarity import similarity_matrix

KINDS = ["cosine", "notebook"]


def draw(rows: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, dim), np.float32)


def by_sorting(queries, candidates, count, kind, left_out=()) -> list[tuple[list, list]]:
    """The same, restated: all similarities, sorted."""
    found = []
    for scores in similarity_matrix(queries, candidates, kind):
        order = [i for i in np.argsort(-scores, kind="stable").tolist() if i not in left_out]
        found.append((order[:count], scores[order[:count]].tolist()))
    return found


def as_lists(found) -> list[tuple[list, list]]:
    return [(numbers.tolist(), scores.tolist()) for numbers, scores in found]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 10, 299, 300])
def test_finds_what_sorting_all_similarities_finds(kind, count) -> None:
    queries, candidates = draw(7), draw(300, seed=1)
    found = Nearest(candidates, kind).find(queries, count)
    assert as_lists(found) == by_sorting(queries, candidates, count, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_change_nothing(kind, monkeypatch) -> None:
    queries, candidates = draw(9), draw(400, seed=1)
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 4)
    monkeypatch.setattr(nearest, "CANDIDATES_AT_ONCE", 77)
    monkeypatch.setattr(nearest, "PAIRS_AT_ONCE", 5)
    found = Nearest(candidates, kind).find(queries, 10)
    assert as_lists(found) == by_sorting(queries, candidates, 10, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_equally_near_ones_come_in_their_order(kind, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "CANDIDATES_AT_ONCE", 7)
    candidates = np.repeat(draw(5), 8, axis=0)
    [(numbers, scores)] = Nearest(candidates, kind).find(candidates[:1], 10)
    assert numbers[:8].tolist() == list(range(8))
    assert len(set(scores[:8].tolist())) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.0, 1e-25, 1e12])
def test_what_float32_cannot_hold_is_compared_all_the_same(kind, scale) -> None:
    queries, candidates = draw(3), draw(200, seed=1)
    candidates[::3] *= np.float32(scale)
    queries[1] *= np.float32(scale)
    found = Nearest(candidates, kind).find(queries, 20)
    assert as_lists(found) == by_sorting(queries, candidates, 20, kind)


def test_what_is_left_out_is_not_found() -> None:
    queries, candidates = draw(3), draw(200, seed=1)
    candidates[5] = 0  # unknown to float32, and left out
    left_out = np.zeros(200, bool)
    left_out[[0, 5, 17, *range(100, 190)]] = True
    found = Nearest(candidates, "cosine").find(queries, 200, left_out)
    expected = by_sorting(queries, candidates, 200, "cosine", set(np.flatnonzero(left_out)))
    assert as_lists(found) == expected


def test_no_query_finds_nothing_and_nothing_is_found_in_nothing() -> None:
    assert Nearest(draw(4), "cosine").find(draw(0), 3) == []
    [(numbers, scores)] = Nearest(draw(0), "cosine").find(draw(1), 3)
    assert (len(numbers), len(scores)) == (0, 0)


def test_what_errors_leave_undecided_may_be_best() -> None:
    scores = np.array([[0.9, 0.8, 0.79, 0.5, np.nan, -np.inf]], np.float32)
    marked = may_be_best(scores, np.array([[0.01]]), 2)
    assert marked.tolist() == [[True, True, True, False, True, False]]


def test_parts_are_joined_by_similarity_then_by_number() -> None:
    parts = [(np.array([3, 9]), np.array([0.5, 0.1])), (np.array([1, 2]), np.array([0.5, 0.7]))]
    numbers, scores = joined(parts, 3)
    assert (numbers.tolist(), scores.tolist()) == ([2, 1, 3], [0.7, 0.5, 0.5])
    assert best_of(*parts[0], 1)[0].tolist() == [3]
