"""Labelled pairs: the evaluator of every run."""

import numpy as np
import pytest

from siamese.config.recipe import Evaluation
from siamese.data.pair import Pair
from siamese.evaluation.evaluators.labelled_pairs import build

TABLE = {"a": (1.0, 0.0), "b": (3.0, 4.0), "c": (0.0, 2.0)}
PAIRS = [Pair("a", "b", 1), Pair("a", "c", 0), Pair("b", "c", 1)]


def encode(texts: list[str]) -> np.ndarray:
    return np.array([TABLE[text] for text in texts], np.float32)


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        ("cosine", [3 / 5, 0, 4 / 5]),
        ("notebook", [3 / 26**0.5, 0, 8 / 29**0.5]),
    ],
)
def test_scores_are_of_the_recipes_similarity(similarity, expected) -> None:
    scores, _ = build(Evaluation(similarity=similarity)).judge(encode, PAIRS)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_the_threshold_is_fitted_or_the_recipes() -> None:
    _, fitted = build(Evaluation()).judge(encode, PAIRS)
    assert fitted.threshold == pytest.approx(0.3) and fitted.accuracy == 1
    _, given = build(Evaluation(threshold=0.7)).judge(encode, PAIRS)
    assert given.threshold == 0.7 and given.accuracy == pytest.approx(2 / 3)


def test_every_metric_that_may_pick_the_epoch_is_a_figure() -> None:
    evaluator = build(Evaluation())
    assert {metric.key for metric in evaluator.metrics} <= evaluator(encode, PAIRS).keys()
