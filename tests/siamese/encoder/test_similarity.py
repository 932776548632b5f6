"""Similarities against their formulas."""

from typing import get_args

import numpy as np
import pytest

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import (
    FORMULAS,
    LABELS,
    pairwise_similarity,
    rough_error,
    rough_similarity,
    similarity_matrix,
    squared_lengths,
)


def test_similarities_equal_their_formulas() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    for row in range(2):
        p, q = a[row], b[row]
        cosine = p @ q / (p @ p) ** 0.5 / (q @ q) ** 0.5
        notebook = np.sum(p * q) / np.sum(p**2 + q**2) ** 0.5
        assert pairwise_similarity(a, b, "cosine")[row] == pytest.approx(cosine)
        assert pairwise_similarity(a, b, "notebook")[row] == pytest.approx(notebook)
        assert similarity_matrix(a, b, "cosine")[row, row] == pytest.approx(cosine)
        assert similarity_matrix(a, b, "notebook")[row, row] == pytest.approx(notebook)


def test_the_zero_embedding_is_similar_to_nothing() -> None:
    zero, other = np.zeros((1, 3)), np.ones((1, 3))
    for kind in ("cosine", "notebook"):
        assert pairwise_similarity(zero, other, kind)[0] == 0
        assert pairwise_similarity(zero, zero, kind)[0] == 0


def test_each_similarity_of_a_recipe_has_a_formula_and_a_label() -> None:
    assert set(FORMULAS) == set(LABELS) == set(get_args(Similarity))


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("dim", [1, 3, 64, 256])
def test_two_embeddings_have_the_same_bits_alone_and_among_others(kind, dim) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=(30, dim)).astype(np.float32) for _ in range(2))
    matrix = similarity_matrix(a, b, kind)
    assert pairwise_similarity(a, b, kind).tolist() == np.diag(matrix).tolist()
    assert similarity_matrix(b, a, kind).T.tolist() == matrix.tolist()
    for row in (0, 13, 29):
        alone = pairwise_similarity(a[row : row + 1], b[7:8], kind)
        assert alone.tolist() == [matrix[row, 7]]
        assert similarity_matrix(a[row : row + 1], b[5:], kind).tolist() == [
            matrix[row, 5:].tolist()
        ]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("dim", [2, 64, 384])
def test_the_rough_similarity_is_within_its_error(kind, dim) -> None:
    rng = np.random.default_rng(1)
    a, b = (np.exp(rng.normal(size=(60, dim))).astype(np.float32) for _ in range(2))
    a *= np.exp(rng.normal(size=(60, 1)) * 5).astype(np.float32)
    a[3] = 0
    squares_a, squares_b = squared_lengths(a), squared_lengths(b)
    rough = rough_similarity(a, b, squares_a, squares_b, kind)
    off = np.abs(rough - similarity_matrix(a, b, kind))
    assert np.isnan(rough[3]).all()  # to be compared exactly
    assert (np.delete(off, 3, 0) <= np.delete(rough_error(squares_a, dim, kind), 3)[:, None]).all()
