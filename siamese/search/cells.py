"""Cells of embeddings that lie near each other, so that not all need to be compared with all.

Up to 100,000 texts there is one cell, and what is found is exact. Beyond, each text is compared
with those in the few cells that are nearest to it: as many as find nearly all near texts of a
sample, which is compared with all.
"""

from dataclasses import dataclass

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.threads import in_threads
from siamese.search.comparing import prepared, scores_of

# Texts up to which all are compared with all.
EXACT_UP_TO = 100_000
# Texts in a cell, on average; those that its centre is found from; and the steps in which it is.
TEXTS_PER_CELL, SAMPLED_PER_CELL, STEPS = 1000, 64, 8
# Texts whose near ones are all looked for, and the share of these that the nearest cells must hold.
MEASURED, WANTED = 2000, 0.993
_AT_ONCE = 4096


@dataclass(frozen=True)
class Cells:
    """Says which texts are compared.

    Attributes:
        centres: of the cells, float32 `[cells, dim]`, of unit length.
        own: the cell of each text, int32 `[texts]`.
        probes: how many of its nearest cells a text is compared with.
        recall: the share of near pairs that are in these, as measured; None: all are.
    """

    centres: np.ndarray
    own: np.ndarray
    probes: int = 1
    recall: float | None = None

    def nearest(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the cells that embeddings `[n, dim]` are compared with, int `[n, probes]`."""
        if len(self.centres) == 1:
            return np.zeros((len(embeddings), 1), np.int64)
        near = _unit(embeddings) @ self.centres.T
        return np.argpartition(-near, self.probes - 1, axis=1)[:, : self.probes]


def one_cell(count: int, dim: int) -> Cells:
    """Have all of so many texts compared with all."""
    return Cells(np.zeros((1, dim), np.float32), np.zeros(count, np.int32))


def make_cells(embeddings: np.ndarray, kind: Similarity, threshold: float) -> Cells:
    """Make cells, and find out how many a text must be compared with.

    Args:
        embeddings: of all texts, float32 `[n, dim]`; may be mapped into memory.
        kind: of similarity.
        threshold: texts whose similarity is above it are near.
    """
    count, dim = embeddings.shape
    if count <= EXACT_UP_TO:
        return one_cell(count, dim)
    centres = _centres(embeddings, count // TEXTS_PER_CELL)
    starts = range(0, count, _AT_ONCE)

    def nearest(start: int) -> np.ndarray:
        near = _unit(embeddings[start : start + _AT_ONCE]) @ centres.T
        return near.argmax(axis=1).astype(np.int32)

    own = np.concatenate(list(in_threads(nearest, starts)))
    probes, recall = _probes(embeddings, kind, threshold, centres, own)
    if probes > len(centres) // 4:  # then it is no slower to compare all
        return one_cell(count, dim)
    return Cells(centres, own, probes, recall)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    return prepared(embeddings, "cosine").rows


def _centres(embeddings: np.ndarray, cells: int) -> np.ndarray:
    """Find centres by k-means of directions, on a sample; always the same ones."""
    size = min(cells * SAMPLED_PER_CELL, len(embeddings))
    rng = np.random.default_rng(1)
    sample = _unit(embeddings[np.sort(rng.choice(len(embeddings), size, replace=False))])
    centres = sample[np.sort(rng.choice(size, cells, replace=False))]
    starts = range(0, size, _AT_ONCE)
    for _ in range(STEPS):
        now = centres

        def nearest(start: int, now: np.ndarray = now) -> np.ndarray:
            return (sample[start : start + _AT_ONCE] @ now.T).argmax(axis=1)

        of = np.concatenate(list(in_threads(nearest, starts)))
        order = np.argsort(of, kind="stable")
        used, first = np.unique(of[order], return_index=True)
        centres = now.copy()  # those of no text stay where they are
        centres[used] = _unit(np.add.reduceat(sample[order], first))
    return centres


def _probes(
    embeddings: np.ndarray,
    kind: Similarity,
    threshold: float,
    centres: np.ndarray,
    own: np.ndarray,
) -> tuple[int, float]:
    """Find how many cells hold the near texts of a sample, and the share of them that they do."""
    chosen = np.linspace(0, len(embeddings) - 1, MEASURED).astype(np.int64)
    queries = prepared(embeddings[chosen], kind)
    order = np.argsort(-(_unit(embeddings[chosen]) @ centres.T), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(centres))[None], axis=1)

    def near(start: int) -> tuple[np.ndarray, np.ndarray]:
        others = prepared(embeddings[start : start + _AT_ONCE], kind)
        rows, columns = np.nonzero(scores_of(queries, others, kind) > threshold)
        columns += start
        kept = chosen[rows] != columns
        return rows[kept], columns[kept]

    # Of every pair near each other, counted by the text and the rank of the cell that it is in.
    counts = np.zeros(ranks.shape, np.int64)
    for rows, columns in in_threads(near, range(0, len(embeddings), _AT_ONCE)):
        np.add.at(counts, (rows, ranks[rows, own[columns]]), 1)
    sums = counts.sum(axis=1)
    counts = counts[sums > 0]
    if not len(counts):
        return len(centres), 1.0  # nothing to measure by: all are compared
    shares = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    of_pairs = np.cumsum(counts.sum(axis=0)) / counts.sum()
    recall = np.minimum(shares.mean(axis=0), of_pairs)
    probes = int(np.searchsorted(recall, WANTED)) + 1
    return probes, float(recall[min(probes, len(recall)) - 1])
