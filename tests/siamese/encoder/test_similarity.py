"""Similarities against their formulas."""

from typing import get_args

import numpy as np
import pytest

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import FORMULAS, LABELS, pairwise_similarity, similarity_matrix


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
