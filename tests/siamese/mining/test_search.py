"""The nearest candidates below a limit, against a restatement that sorts them all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.encoder.similarity import pairwise_similarity
from siamese.mining.search import Answer, Query, Search

KINDS = ["cosine", "notebook"]


def by_hand(
    embeddings: np.ndarray, candidates: int, kind: str, count: int, query: Query
) -> tuple[list[int], int]:
    """What a group gets, and how many are refused."""
    excluded = set(query.excluded().tolist())
    similarity = {
        number: max(
            pairwise_similarity(embeddings[text, None], embeddings[number, None], kind)[0]
            for text in query.texts
        )
        for number in range(candidates)
        if number not in excluded
    }
    below = [number for number, value in similarity.items() if value < query.limit]
    below.sort(key=lambda number: (-similarity[number], number))
    return below[:count], len(similarity) - len(below)


def query(texts: list[int], excluded: list[int], limit: float) -> Query:
    return Query(np.array(texts), lambda: np.array(excluded, np.int64), limit)


def plain(answers: list[Answer]) -> list[tuple[list[int], int]]:
    return [(answer.found.tolist(), answer.refused) for answer in answers]


@pytest.mark.parametrize("kind", KINDS)
@given(
    # Few directions and lengths, so that many are equally near, and some are all zeros.
    st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=4, max_size=12),
    st.lists(
        st.tuples(
            st.sets(st.integers(0, 3), min_size=1),
            st.sets(st.integers(0, 3)),
            st.sampled_from([-0.5, 0.0, 0.3, 0.5, 1.0, 9.0]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(1, 3),
    st.sampled_from([1, 30, 1 << 20]),
)
def test_it_is_what_sorting_all_candidates_gives_whatever_is_held_at_once(
    kind, rows, asked, count, at_once
) -> None:
    embeddings = np.array(rows, np.float32)
    candidates = len(embeddings) - 1  # the last text is none
    queries = [
        query(sorted(texts), sorted(excluded - {3}), limit) for texts, excluded, limit in asked
    ]
    found = Search(embeddings, candidates, kind, count, at_once).answers(queries)
    expected = [by_hand(embeddings, candidates, kind, count, each) for each in queries]
    assert plain(found) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_among_many_candidates_too(kind) -> None:
    # More than are folded, some of them within float32's error of each other and of the limit.
    rng = np.random.default_rng(3)
    embeddings = rng.normal(size=(700, 8)).astype(np.float32)
    embeddings[100:300] = embeddings[:200] * (1 + 1e-6 * rng.normal(size=(200, 8)))
    texts = [[600 + i, *range(10 * i, 10 * i + i % 4)] for i in range(20)]
    near = pairwise_similarity(embeddings[[600]], embeddings[[100]], kind)[0]
    queries = [query(own, own[1:], near if i == 0 else 0.9) for i, own in enumerate(texts)]
    for at_once in (1, 5000, 1 << 23):
        found = Search(embeddings, 600, kind, 3, at_once).answers(queries)
        assert plain(found) == [by_hand(embeddings, 600, kind, 3, each) for each in queries]


def test_the_similarities_are_exact_and_those_of_the_nearest_text() -> None:
    embeddings = np.array([[1, 0], [0, 1], [3, 4], [1, 0]], np.float32)
    [answer] = Search(embeddings, 3, "cosine", 2).answers([query([3, 0], [0], 1.0)])
    assert answer.found.tolist() == [2, 1]
    assert answer.similarities.tolist() == [0.6, 0.0]


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_embeddings_that_float32_cannot_multiply_are_compared_exactly(scale) -> None:
    embeddings = np.array([[1, 0], [0, 1], [3, 4]], np.float32) * np.float32(scale)
    [answer] = Search(embeddings, 3, "cosine", 3).answers([query([0], [0], 0.5)])
    assert (answer.found.tolist(), answer.refused) == ([1], 1)


def test_progress_counts_every_query_once() -> None:
    embeddings = np.eye(4, dtype=np.float32)
    counted: list[int] = []
    queries = [query([number % 4], [], 0.5) for number in range(9)]
    Search(embeddings, 4, "cosine", 1, at_once=8).answers(queries, counted.append)
    assert sum(counted) == 9
    assert Search(embeddings, 4, "cosine", 1).answers([], counted.append) == []
