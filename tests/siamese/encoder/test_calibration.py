"""Calibrators: curves, their file, and what an encoder makes of them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese import UserError
from siamese.encoder.calibration import (
    Isotonic,
    Logistic,
    read_calibrator,
    verdict_of,
    write_calibrator,
)

CURVES = [Logistic(7.25, -4.5), Logistic(0.0, 0.1), Isotonic((-0.5, 0.2, 0.9), (0.01, 0.4, 0.99))]


def test_a_logistic_curve_is_the_logistic_function_of_the_log_odds() -> None:
    similarities = np.array([-1.0, 0.0, 0.6, 1.0, 1e6])
    expected = [1 / (1 + np.exp(-np.float64(7.25 * s - 4.5))) for s in similarities[:-1]]
    found = Logistic(7.25, -4.5).probability(similarities)
    np.testing.assert_allclose(found, [*expected, 1.0], rtol=1e-9)


def test_an_isotonic_curve_is_straight_between_its_points_and_level_beyond() -> None:
    found = CURVES[2].probability(np.array([-2.0, -0.5, 0.55, 0.9, 5.0]))
    np.testing.assert_allclose(found, [0.01, 0.01, 0.4 + 0.59 / 2, 0.99, 0.99])


@pytest.mark.parametrize("curve", CURVES)
def test_a_calibrator_is_read_as_it_was_written(curve, tmp_path) -> None:
    write_calibrator(tmp_path / "calibration.json", curve)
    assert read_calibrator(tmp_path / "calibration.json") == curve


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.0, "different"), (0.25, "different"), (0.26, "unsure"), (0.74, "unsure"), (1.0, "similar")],
)
def test_a_probability_within_the_band_leaves_the_question_open(probability, verdict) -> None:
    assert verdict_of(probability) == verdict


BAD = [
    [],
    {"version": 2, "kind": "logistic", "slope": 1, "intercept": 0},
    {"version": 1},
    {"version": 1, "kind": "python", "slope": 1, "intercept": 0},
    {"version": 1, "kind": "logistic", "slope": -1, "intercept": 0},
    {"version": 1, "kind": "logistic", "slope": "1", "intercept": 0},
    {"version": 1, "kind": "logistic", "slope": True, "intercept": 0},
    {"version": 1, "kind": "logistic", "slope": float("nan"), "intercept": 0},
    {"version": 1, "kind": "isotonic", "similarities": [], "probabilities": []},
    {"version": 1, "kind": "isotonic", "similarities": [0, 1], "probabilities": [0.5]},
    {"version": 1, "kind": "isotonic", "similarities": [0, 1], "probabilities": [0.5, 0.4]},
    {"version": 1, "kind": "isotonic", "similarities": [1, 0], "probabilities": [0.4, 0.5]},
    {"version": 1, "kind": "isotonic", "similarities": [0, 1], "probabilities": [0.4, 1.5]},
    {"version": 1, "kind": "isotonic", "similarities": [0, None], "probabilities": [0.4, 0.5]},
    {"version": 1, "kind": "isotonic", "similarities": "01", "probabilities": [0.4, 0.5]},
]


@pytest.mark.parametrize("content", BAD)
def test_what_is_no_rising_curve_of_probabilities_is_refused(content, tmp_path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"calibration\.json"):
        read_calibrator(path)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.sampled_from(CURVES))
def test_a_probability_lies_in_0_to_1_and_never_falls(similarities, curve) -> None:
    found = curve.probability(np.sort(similarities))
    assert np.all((found >= 0) & (found <= 1))
    assert np.all(np.diff(found) >= 0)
