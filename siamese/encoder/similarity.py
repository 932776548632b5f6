"""The similarity of embeddings."""

from typing import Literal

import numpy as np

Similarity = Literal["cosine", "notebook"]


def pairwise_similarity(a: np.ndarray, b: np.ndarray, kind: Similarity) -> np.ndarray:
    """The similarity of each row of `a` to the same row of `b`.

    Args:
        a: embeddings `[n, dim]`.
        b: embeddings `[n, dim]`.
        kind: `cosine`, or the notebook's `sum(a*b) / sqrt(sum(a^2 + b^2))`, which is unbounded.

    Returns:
        float64 `[n]`; 0 where an embedding is all zeros (that of an empty text).
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _scaled(np.sum(a * b, axis=1), np.sum(a * a, axis=1), np.sum(b * b, axis=1), kind)


def similarity_matrix(a: np.ndarray, b: np.ndarray, kind: Similarity) -> np.ndarray:
    """The similarity of every row of `a` `[n, dim]` to every row of `b` `[m, dim]`, `[n, m]`."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return _scaled(a @ b.T, np.sum(a * a, axis=1)[:, None], np.sum(b * b, axis=1), kind)


def _scaled(
    products: np.ndarray, squares_a: np.ndarray, squares_b: np.ndarray, kind: Similarity
) -> np.ndarray:
    norms = np.sqrt(squares_a * squares_b if kind == "cosine" else squares_a + squares_b)
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
