"""Embeddings that others are compared with, in cells; in a file that is mapped into memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.nearest import similarities_of
from siamese.encoder.threads import in_threads
from siamese.search.cells import Cells
from siamese.search.comparing import Prepared, error_of, scores_of
from siamese.search.scratch import mapped

# Similarities that a thread holds at once: rows times columns, 16 MiB.
ROWS_AT_ONCE, COLUMNS_AT_ONCE = 512, 8192


class Pairs(NamedTuple):
    """Pairs of texts.

    Attributes:
        ones: numbers of texts, int64 `[pairs]`.
        others: those of the other texts.
        similarities: float64.
    """

    ones: np.ndarray
    others: np.ndarray
    similarities: np.ndarray


class Store:
    """Holds embeddings that come a few at a time, and finds the near ones to others.

    Args:
        cells: of all texts that may come.
        dim: of the embeddings.
        kind: of similarity.
        path: of a file that is made; None: it is held in memory.
    """

    def __init__(self, cells: Cells, dim: int, kind: Similarity, path: Path | None = None) -> None:
        self._cells = cells
        self._kind: Similarity = kind
        sizes = np.bincount(cells.own, minlength=len(cells.centres))
        self._starts = np.cumsum(sizes) - sizes
        self._counts = np.zeros(len(sizes), np.int64)
        count = len(cells.own)
        if path is None or not count:
            self._rows = np.empty((count, dim), np.float32)
        else:
            self._rows = mapped(path, (count, dim))
        self._squares = np.empty(count, np.float32)
        self._numbers = np.empty(count, np.int64)

    def add(self, numbers: np.ndarray, embeddings: Prepared) -> None:
        """Take up embeddings.

        Args:
            numbers: of the texts, rising, int64 `[n]`.
            embeddings: of them.
        """
        cells = self._cells.own[numbers]
        order = np.argsort(cells, kind="stable")
        cells = cells[order]
        used, first, counts = np.unique(cells, return_index=True, return_counts=True)
        within = np.arange(len(cells)) - np.repeat(first, counts)
        places = self._starts[cells] + self._counts[cells] + within
        self._rows[places] = embeddings.rows[order]
        self._squares[places] = embeddings.squares[order]
        self._numbers[places] = numbers[order]
        self._counts[used] += counts

    def near(
        self,
        embeddings: Prepared,
        probes: np.ndarray,
        threshold: Callable[[], float],
        only_best: bool,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs that may be near: rows of the embeddings, and numbers of texts held here.

        Args:
            embeddings: to be compared with what is held here.
            probes: the cells that each is compared with, int `[n, probes]`.
            threshold: all pairs whose similarity is above what it returns are yielded, and few
                others; it may rise on the way.
            only_best: of each row and cell, only those that may be the nearest.
        """
        error = error_of(embeddings, self._kind).astype(np.float32)

        def work(task: tuple[np.ndarray, slice]) -> tuple[np.ndarray, np.ndarray]:
            rows, columns = task
            held = Prepared(self._rows[columns], self._squares[columns])
            scores = scores_of(embeddings[rows], held, self._kind)
            least = np.float32(threshold()) - 2 * error[rows]
            if only_best:
                top = np.fmax.reduce(scores, axis=1)
                some = ~(top < least) | (self._kind != "cosine")  # where there may be NaN
                scores, rows = scores[some], rows[some]
                least = np.fmax(least[some], top[some] - 2 * error[rows])
            # Several times faster than `nonzero` of two dimensions.
            which, found = np.divmod(np.flatnonzero(~(scores < least[:, None])), len(held.rows))
            return rows[which], self._numbers[columns][found]

        tasks = list(self._tasks(probes))
        yield from in_threads(work, tasks) if tasks else ()

    def _tasks(self, probes: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
        """Yield rows, and the places of what they are compared with."""
        asked = probes.ravel()
        order = np.argsort(asked, kind="stable")
        used, first = np.unique(asked[order], return_index=True)
        for cell, rows in zip(used, np.split(order // probes.shape[1], first[1:]), strict=True):
            start = self._starts[cell]
            end = start + self._counts[cell]
            for row in range(0, len(rows), ROWS_AT_ONCE):
                for column in range(start, end, COLUMNS_AT_ONCE):
                    columns = slice(column, min(column + COLUMNS_AT_ONCE, end))
                    yield rows[row : row + ROWS_AT_ONCE], columns


def exactly(
    ones: np.ndarray, others: np.ndarray, embeddings: np.ndarray, kind: Similarity, threshold: float
) -> Pairs:
    """Compare pairs exactly, and keep those above the threshold.

    Args:
        ones: numbers of texts `[pairs]`.
        others: numbers of texts `[pairs]`.
        embeddings: of all texts `[texts, dim]`.
        kind: of similarity.
        threshold: what similarities must be above.
    """
    similarities = similarities_of(embeddings, ones, embeddings, others, kind)
    kept = similarities > threshold
    return Pairs(ones[kept], others[kept], similarities[kept])
