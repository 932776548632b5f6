"""The similarity of embeddings: each kind by its name in a recipe.

Both kinds divide the scalar product by something that grows with the lengths of the vectors. All
that differs between them is in `_SCALES` and `FORMULAS`.
"""

from collections.abc import Callable, Mapping

import numpy as np

from siamese.config.recipe import Similarity

# From the squared lengths of two embeddings to what divides their scalar product.
_SCALES: Mapping[Similarity, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cosine": lambda p, q: np.sqrt(p * q),
    "notebook": lambda p, q: np.sqrt(p + q),  # not a cosine, and unbounded
}
# Each kind as a formula of the embeddings p and q, for people.
FORMULAS: Mapping[Similarity, str] = {
    "cosine": "cosine of p and q",
    "notebook": "sum(pq) / sqrt(sum(p² + q²))",
}
# Each kind in a few words.
LABELS: Mapping[Similarity, str] = {
    "cosine": "cosine",
    "notebook": "the notebook's, unbounded",
}


def pairwise_similarity(a: np.ndarray, b: np.ndarray, kind: Similarity) -> np.ndarray:
    """Compare each row of `a` with the same row of `b`.

    Args:
        a: embeddings `[n, dim]`.
        b: embeddings `[n, dim]`.
        kind: the recipe's `evaluation.similarity`.

    Returns:
        float64 `[n]`; 0 where an embedding is all zeros (that of an empty text).
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    # Each scalar product by itself: in matrix products, the last bits depend on the shape.
    return _divided(np.vecdot(a, b), np.vecdot(a, a), np.vecdot(b, b), kind)


def similarity_matrix(a: np.ndarray, b: np.ndarray, kind: Similarity) -> np.ndarray:
    """Compare every row of `a` with every row of `b`.

    Args:
        a: embeddings `[n, dim]`.
        b: embeddings `[m, dim]`.
        kind: the recipe's `evaluation.similarity`.

    Returns:
        float64 `[n, m]`, of the same bits as `pairwise_similarity`; 0 where an embedding is all
        zeros.
    """
    a, b = a.astype(np.float64)[:, None], b.astype(np.float64)
    return _divided(np.vecdot(a, b), np.vecdot(a, a), np.vecdot(b, b), kind)


def squared_lengths(embeddings: np.ndarray) -> np.ndarray:
    """Compute the squared length of each embedding `[n, dim]`, `[n]`, in their own precision."""
    return np.vecdot(embeddings, embeddings)


def rough_similarity(
    a: np.ndarray, b: np.ndarray, squares_a: np.ndarray, squares_b: np.ndarray, kind: Similarity
) -> np.ndarray:
    """Compare every row of `a` with every row of `b` fast: by one matrix product in float32.

    Args:
        a: embeddings, float32 `[n, dim]`.
        b: embeddings, float32 `[m, dim]`.
        squares_a: the squared lengths of a's rows, `[n]`.
        squares_b: the squared lengths of b's rows, `[m]`.
        kind: the recipe's `evaluation.similarity`.

    Returns:
        float32 `[n, m]`, within `rough_error` of `pairwise_similarity`, or NaN where float32 cannot
        hold what it takes.
    """
    squares_a, squares_b = (_in_float32(squares) for squares in (squares_a, squares_b))
    if kind == "cosine":  # the scale is a product, so that no matrix of scales is needed
        scores = (a / np.sqrt(squares_a)[:, None]) @ b.T
        scores /= np.sqrt(squares_b)
        return scores
    scores = a @ b.T
    scores /= _SCALES[kind](squares_a[:, None], squares_b)
    return scores


def rough_error(squares: np.ndarray, dim: int, kind: Similarity) -> np.ndarray:
    """Bound what `rough_similarity` is off by, for embeddings `[n]` with any others.

    Args:
        squares: their squared lengths `[n]`.
        dim: how many numbers each embedding has.
        kind: the recipe's `evaluation.similarity`.
    """
    # A scalar product is off by dim roundings of the product of the lengths, at most, and so is the
    # scale; eps is two roundings. Divided by the scale, the product of the lengths is 1 for the
    # cosine, and below the shorter length for the notebook's.
    most = np.ones_like(squares) if kind == "cosine" else np.sqrt(squares)
    return (dim + 8) * float(np.finfo(np.float32).eps) * most


def _in_float32(squares: np.ndarray) -> np.ndarray:
    """Return squared lengths in float32; NaN where their products might not fit."""
    return np.where((squares > 1e-18) & (squares < 1e18), squares, np.nan).astype(np.float32)


def _divided(
    products: np.ndarray, squares_a: np.ndarray, squares_b: np.ndarray, kind: Similarity
) -> np.ndarray:
    scales = _SCALES[kind](squares_a, squares_b)
    return np.divide(products, scales, out=np.zeros_like(products), where=scales > 0)
