"""The nearest of many embeddings: exactly those, found by products in float32.

Fast similarities may be off by a known error. Whatever that leaves undecided is compared exactly,
so that what is found, and its order, do not depend on the processor or on the blocks.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import (
    pairwise_similarity,
    rough_error,
    rough_similarity,
    squared_lengths,
)
from siamese.encoder.threads import in_threads

# Among the largest of so many columns each, the best ones are looked for first.
FOLDS = 64
# Pairs that are compared exactly at once: some MiB.
PAIRS_AT_ONCE = 2048
# Similarities that a thread holds at once, at most: queries times candidates.
QUERIES_AT_ONCE, CANDIDATES_AT_ONCE = 256, 1 << 14

# Numbers of candidates, the nearest first, of equally near ones the lower number; and their
# similarities, float64.
Found = tuple[np.ndarray, np.ndarray]


def may_be_best(scores: np.ndarray, error: np.ndarray, count: int) -> np.ndarray:
    """Mark those of each row that may be among its best.

    Args:
        scores: similarities, float32 `[rows, columns]`; -inf where there is none, NaN where it is
            not known.
        error: by how much they may be off, `[rows, 1]`.
        count: how many of the best are wanted.

    Returns:
        bool `[rows, columns]`.
    """
    # Each look at all similarities counts: their largest tells whether any is NaN.
    unknown = np.isnan(scores) if np.isnan(scores.max(initial=-np.inf)) else None
    if unknown is not None:
        scores = np.where(unknown, -np.inf, scores)
    least = np.maximum(_reached(scores, count) - 2 * error, np.finfo(np.float32).min)
    found = scores >= least.astype(np.float32)
    return found if unknown is None else found | unknown


def _reached(scores: np.ndarray, count: int) -> np.ndarray:
    """Return what the best `count` of each row reach, or a little less: `[rows, 1]`."""
    width = scores.shape[1] // FOLDS
    if width >= count:
        # The largest of disjoint sets of columns are no larger than the largest of all.
        scores = scores[:, : FOLDS * width].reshape(len(scores), FOLDS, width).max(axis=1)
    place = max(scores.shape[1] - count, 0)
    return np.partition(scores, place, axis=1)[:, place, None]


def similarities_of(
    a: np.ndarray, rows_a: np.ndarray, b: np.ndarray, rows_b: np.ndarray, kind: Similarity
) -> np.ndarray:
    """Compare embeddings pair by pair, exactly.

    Args:
        a: embeddings `[n, dim]`.
        rows_a: which of them, `[pairs]`.
        b: embeddings `[m, dim]`.
        rows_b: which of them, `[pairs]`.
        kind: of similarity.

    Returns:
        float64 `[pairs]`.
    """
    scores = np.empty(len(rows_a))
    for start in range(0, len(rows_a), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        scores[part] = pairwise_similarity(a[rows_a[part]], b[rows_b[part]], kind)
    return scores


def best_of(numbers: np.ndarray, scores: np.ndarray, count: int) -> Found:
    """Return the best of some candidates, in the order of `Found`."""
    order = np.lexsort((numbers, -scores))[:count]
    return numbers[order], scores[order]


def joined(parts: Sequence[Found], count: int) -> Found:
    """Return the best of what was found in several sets of candidates."""
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0)
    numbers, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
    return best_of(numbers, scores, count)


class Nearest:
    """Finds the nearest of some candidates to any embeddings, exactly, on all cores.

    Args:
        candidates: embeddings, float32 `[n, dim]`; may be mapped into memory.
        kind: of similarity.
    """

    def __init__(self, candidates: np.ndarray, kind: Similarity) -> None:
        self._candidates = candidates
        self._squares = squared_lengths(candidates)
        self._kind: Similarity = kind

    def find(
        self, queries: np.ndarray, count: int, left_out: np.ndarray | None = None
    ) -> list[Found]:
        """Find the nearest candidates to each query.

        Args:
            queries: embeddings, float32 `[queries, dim]`.
            count: how many to find for each, at most.
            left_out: marks candidates that are not to be found, bool `[n]`.
        """
        tasks = [
            (rows, columns)
            for rows in _slices(len(queries), QUERIES_AT_ONCE)
            for columns in _slices(len(self._candidates), CANDIDATES_AT_ONCE)
        ]
        found: list[list[Found]] = [[] for _ in range(len(queries))]

        def work(task: tuple[slice, slice]) -> list[Found]:
            return self._find_in(queries[task[0]], task[1], count, left_out)

        for (rows, _), part in zip(tasks, in_threads(work, tasks) if tasks else (), strict=True):
            for query, each in enumerate(part, start=rows.start):
                found[query].append(each)
        return [joined(parts, count) for parts in found]

    def _find_in(
        self, queries: np.ndarray, columns: slice, count: int, left_out: np.ndarray | None
    ) -> list[Found]:
        """Find the nearest of a stretch of candidates."""
        squares = squared_lengths(queries)
        candidates = self._candidates[columns]
        scores = rough_similarity(queries, candidates, squares, self._squares[columns], self._kind)
        if left_out is not None:
            scores[:, left_out[columns]] = -np.inf
        error = rough_error(squares, queries.shape[1], self._kind)[:, None]
        rows, numbers = np.nonzero(may_be_best(scores, error, count))
        exact = similarities_of(queries, rows, candidates, numbers, self._kind)
        ends = np.searchsorted(rows, np.arange(len(queries) + 1))
        return [
            best_of(numbers[start:end] + columns.start, exact[start:end], count)
            for start, end in pairwise(ends.tolist())
        ]


def _slices(size: int, step: int) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))
