"""Calibrators are fitted to what pairs say, and judged by their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.encoder.calibration import Isotonic, Logistic
from siamese.evaluation.calibration import (
    ENOUGH_FOR_ISOTONIC,
    calibration_error,
    calibration_figures,
    fit_calibrator,
    halved_calibration_error,
)


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels, and the probability with which each label was drawn."""
    draw = np.random.default_rng(seed)
    scores = draw.uniform(-0.2, 1, count)
    truth = 1 / (1 + np.exp(6 - 12 * scores))
    return scores, (draw.uniform(size=count) < truth).astype(int), truth


@pytest.mark.parametrize(("count", "kind"), [(1500, Logistic), (ENOUGH_FOR_ISOTONIC, Isotonic)])
def test_a_calibrator_finds_the_probability_that_labels_were_drawn_with(count, kind) -> None:
    scores, labels, truth = drawn(count)
    curve = fit_calibrator(scores, labels)
    assert isinstance(curve, kind)
    assert np.abs(curve.probability(scores) - truth).mean() < 0.03


@pytest.mark.parametrize("count", [6, 3000])
def test_scores_that_separate_the_labels_leave_room_for_doubt(count) -> None:
    scores = np.linspace(-1, 1, count)
    labels = (scores > 0).astype(int)
    found = fit_calibrator(scores, labels).probability(scores)
    assert 0 < found.min() < 0.3 and 0.7 < found.max() < 1


def test_a_model_worse_than_chance_gets_a_level_curve() -> None:
    scores, labels, _ = drawn(300)
    found = fit_calibrator(-scores, labels).probability(scores)
    assert np.ptp(found) == 0
    assert found[0] == pytest.approx(labels.mean(), abs=0.01)


def test_equal_scores_get_the_share_of_positive_pairs() -> None:
    labels = np.array([1] * 900 + [0] * 2100)
    found = fit_calibrator(np.full(3000, 0.5), labels).probability(np.array([0.5]))
    assert found[0] == pytest.approx(0.3, abs=0.001)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 1)), min_size=2, max_size=30))
def test_any_pairs_of_both_labels_have_a_calibrator(pairs) -> None:
    scores = np.array([score for score, _ in pairs] + [0.1, 0.2])
    labels = np.array([label for _, label in pairs] + [0, 1])
    found = fit_calibrator(scores, labels).probability(np.sort(scores))
    assert np.all((found > 0) & (found < 1)) and np.all(np.diff(found) >= -1e-12)


def test_the_calibration_error_is_its_definition() -> None:
    draw = np.random.default_rng(3)
    probabilities, labels = draw.uniform(size=97), draw.integers(0, 2, 97)
    ranked = sorted(range(97), key=lambda i: probabilities[i])
    bins = [ranked[:10]]  # numpy makes the first bins one larger: 97 = 7 * 10 + 3 * 9
    sizes, start, total = [10] * 7 + [9] * 3, 0, 0.0
    for size in sizes:
        bins = ranked[start : start + size]
        mean = sum(probabilities[i] for i in bins) / size
        share = sum(labels[i] for i in bins) / size
        total += size * abs(mean - share) / 97
        start += size
    assert calibration_error(probabilities, labels) == pytest.approx(total)


def test_the_halved_error_is_of_pairs_that_were_not_fitted_on() -> None:
    scores, labels, _ = drawn(400)
    expected = np.mean(
        [
            calibration_error(
                fit_calibrator(scores[h::2], labels[h::2]).probability(scores[1 - h :: 2]),
                labels[1 - h :: 2],
            )
            for h in (0, 1)
        ]
    )
    assert halved_calibration_error(scores, labels) == pytest.approx(expected)


def test_the_halved_error_needs_both_labels_in_both_halves() -> None:
    assert halved_calibration_error(np.array([0.1, 0.9, 0.2]), np.array([0, 1, 0])) is None


def test_figures_count_the_unsure_and_the_right_among_the_others() -> None:
    curve = Isotonic((0.0, 1.0), (0.0, 1.0))
    scores = np.array([0.1, 0.2, 0.5, 0.6, 0.9, 0.8])
    labels = np.array([0, 1, 1, 0, 1, 1])
    figures = calibration_figures(curve, scores, labels)
    assert figures["unsure"] == pytest.approx(2 / 6)
    assert figures["accuracy_when_sure"] == pytest.approx(3 / 4)
    assert "accuracy_when_sure" not in calibration_figures(curve, scores[2:4], labels[2:4])
