"""Thresholds for a wanted precision or recall, against trying all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from siamese import UserError
from siamese.evaluation.thresholds import Wanted, find_threshold

SCORES = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75, 1.0])
PAIRS = st.lists(st.tuples(SCORES, st.integers(0, 1)), min_size=1, max_size=40)


def arrays(pairs) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = zip(*pairs, (0.5, 1), (0.25, 0), strict=True)
    return np.array(scores), np.array(labels)


def every_cut(scores, labels) -> list[tuple[int, float, float]]:
    """How many pairs lie above each possible threshold, with their precision and recall."""
    cuts = []
    for low in [*sorted(set(scores)), scores.min() - 1]:
        above = scores > low
        if above.any():
            hits = labels[above].sum()
            cuts.append((int(above.sum()), hits / above.sum(), hits / labels.sum()))
    return cuts


@given(PAIRS, st.sampled_from([0.3, 0.5, 0.75, 0.9]))
def test_a_precision_is_reached_with_as_high_a_recall_as_any(pairs, wanted) -> None:
    scores, labels = arrays(pairs)
    support = round(1 / (1 - wanted) + 0.499999)
    good = [(r, p) for n, p, r in every_cut(scores, labels) if p >= wanted and n >= support]
    if not good:
        with pytest.raises(UserError, match="precision"):
            find_threshold(scores, labels, Wanted("precision", wanted))
        return
    found = find_threshold(scores, labels, Wanted("precision", wanted))
    assert found.precision >= wanted
    assert found.recall == pytest.approx(max(r for r, _ in good))
    above = scores > found.threshold
    assert found.precision == pytest.approx(labels[above].mean())


@given(PAIRS, st.sampled_from([0.1, 0.5, 0.9, 1.0]))
def test_a_recall_is_reached_by_the_highest_threshold_that_does(pairs, wanted) -> None:
    scores, labels = arrays(pairs)
    found = find_threshold(scores, labels, Wanted("recall", wanted))
    assert found.recall >= wanted
    fewest = min(n for n, _, r in every_cut(scores, labels) if r >= wanted)
    assert (scores > found.threshold).sum() == fewest


def test_intervals_hold_the_value_and_are_those_of_clopper_and_pearson() -> None:
    draw = np.random.default_rng(0)
    scores = draw.uniform(size=500)
    labels = (draw.uniform(size=500) < scores).astype(int)
    found = find_threshold(scores, labels, Wanted("precision", 0.8))
    low, high = found.threshold_interval
    assert 0 < low <= found.threshold <= high < 1
    above = scores > found.threshold
    tries, hits = int(above.sum()), int(labels[above].sum())
    expected = beta.ppf(0.025, hits, tries - hits + 1), beta.ppf(0.975, hits + 1, tries - hits)
    assert found.precision_interval == pytest.approx(expected)
    assert found.recall_interval[0] < found.recall < found.recall_interval[1]
    assert find_threshold(scores, labels, Wanted("precision", 0.8)) == found


def test_the_interval_of_the_threshold_covers_the_true_one() -> None:
    """Labels of which a known share is positive above each score: precision 0.9 is at 0.8."""
    covered = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        scores = draw.uniform(size=400)
        labels = (draw.uniform(size=400) < scores).astype(int)  # above t: (1 + t) / 2 are positive
        low, high = find_threshold(scores, labels, Wanted("precision", 0.9)).threshold_interval
        covered += low <= 0.8 <= high
    assert covered >= 25


def test_a_precision_that_rests_on_too_few_pairs_is_refused_with_what_is_there() -> None:
    scores = np.array([0.9] * 12 + [0.5] * 12 + [0.1] * 12)
    labels = np.array([1] * 12 + [1, 0] * 6 + [0] * 12)
    with pytest.raises(UserError, match=r"0\.98.*highest.*at least 50|too few"):
        find_threshold(scores, labels, Wanted("precision", 0.98))
    with pytest.raises(UserError, match=r"highest precision .* at least 20 pairs .* is 0\.7500"):
        find_threshold(scores, labels, Wanted("precision", 0.95))
    assert find_threshold(scores, labels, Wanted("precision", 1.0)).recall == 12 / 18
