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


def _divided(
    products: np.ndarray, squares_a: np.ndarray, squares_b: np.ndarray, kind: Similarity
) -> np.ndarray:
    scales = _SCALES[kind](squares_a, squares_b)
    return np.divide(products, scales, out=np.zeros_like(products), where=scales > 0)
