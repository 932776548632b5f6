"""Embeddings that are compared with many others, by products in float32.

For the cosine they are scaled to unit length once, so that a product is the similarity.
"""

from dataclasses import dataclass

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import rough_error, rough_similarity, squared_lengths


@dataclass(frozen=True)
class Prepared:
    """Embeddings, ready to be compared.

    Attributes:
        rows: float32 `[n, dim]`; for the cosine of unit length, or zeros.
        squares: their squared lengths, float32 `[n]`; only what the notebook's similarity needs.
    """

    rows: np.ndarray
    squares: np.ndarray

    def __getitem__(self, key: slice | np.ndarray) -> "Prepared":
        return Prepared(self.rows[key], self.squares[key])


def prepared(embeddings: np.ndarray, kind: Similarity) -> Prepared:
    """Prepare embeddings `[n, dim]` for a kind of similarity."""
    embeddings = np.asarray(embeddings, np.float32)
    if kind != "cosine":
        return Prepared(embeddings, squared_lengths(embeddings))
    lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    rows = (embeddings * scale[:, None]).astype(np.float32)
    return Prepared(rows, np.ones(len(rows), np.float32))


def scores_of(a: Prepared, b: Prepared, kind: Similarity) -> np.ndarray:
    """Compare every row of `a` with every row of `b`, float32 `[n, m]`.

    They are within `error_of` of the similarity, or NaN where float32 cannot hold what it takes.
    """
    if kind == "cosine":
        # Scaling adds two roundings to each number, for which `rough_error` has room.
        scores: np.ndarray = a.rows @ b.rows.T
        return scores
    return rough_similarity(a.rows, b.rows, a.squares, b.squares, kind)


def error_of(a: Prepared, kind: Similarity) -> np.ndarray:
    """Bound what `scores_of` is off by, `[n]`."""
    return rough_error(a.squares, a.rows.shape[1], kind)
