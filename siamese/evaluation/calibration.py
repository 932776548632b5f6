"""Fit what similarities mean on labelled pairs, and measure how true it is."""

import numpy as np

from siamese.encoder.calibration import UNSURE, Calibrator, Isotonic, Logistic

# Pairs from which a curve of any rising shape is surer than a logistic one: with fewer it follows
# chance (docs/benchmarks.md#thresholds).
ENOUGH_FOR_ISOTONIC = 2000
# Of the calibration error, with as many pairs each.
BINS = 10


def fit_calibrator(scores: np.ndarray, labels: np.ndarray) -> Calibrator:
    """Fit the probability that two texts mean the same, as a function of their similarity.

    It never falls as the similarity rises, and is neither 0 nor 1.

    Args:
        scores: similarities, float `[pairs]`.
        labels: 0 or 1 `[pairs]`, both among them.
    """
    if len(scores) >= ENOUGH_FOR_ISOTONIC and np.ptp(scores) > 0:
        return _isotonic(scores, labels)
    return _logistic(scores, labels)


def _isotonic(scores: np.ndarray, labels: np.ndarray) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression

    # No number of pairs proves a probability of 0 or 1: at most what Laplace's rule leaves.
    least = 1 / (len(labels) + 2)
    curve = IsotonicRegression(y_min=least, y_max=1 - least).fit(scores, labels)
    return Isotonic(tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))


def _logistic(scores: np.ndarray, labels: np.ndarray) -> Logistic:
    from sklearn.linear_model import LogisticRegression

    positives = int(labels.sum())
    negatives = len(labels) - positives
    # Platt's targets: labels that scores separate without an error would make an endless slope.
    high, low = (positives + 1) / (positives + 2), 1 / (negatives + 2)
    targets = np.where(labels == 1, high, low)
    twice = np.concatenate([scores, scores])[:, None]
    truth = np.repeat([1, 0], len(labels))
    weights = np.concatenate([targets, 1 - targets])
    curve = LogisticRegression(C=np.inf, max_iter=1000).fit(twice, truth, sample_weight=weights)
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope < 0:  # a model that is worse than chance tells nothing
        share = float(targets.mean())
        return Logistic(0.0, float(np.log(share / (1 - share))))
    return Logistic(slope, intercept)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the expected calibration error (Naeini and others, 2015).

    Pairs are put in the order of their probability into bins of as many each; in every bin the
    mean probability is held against the share of positive pairs, and the mean of these distances
    is the error.

    Args:
        probabilities: float `[pairs]`.
        labels: 0 or 1 `[pairs]`.
    """
    order = np.argsort(probabilities, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    off = [len(part) * abs(probabilities[part].mean() - labels[part].mean()) for part in bins]
    return float(sum(off) / len(labels))


def halved_calibration_error(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """Measure the calibration error on pairs that the calibrator was not fitted on.

    Args:
        scores: similarities, float `[pairs]`.
        labels: 0 or 1 `[pairs]`.

    Returns:
        That of every other pair by a calibrator fitted on the rest, both ways; None where a half
        has pairs of one label only.
    """
    errors = []
    for half in (0, 1):
        own, rest = slice(half, None, 2), slice(1 - half, None, 2)
        if len(set(labels[own])) < 2 or not len(labels[rest]):
            return None
        probabilities = fit_calibrator(scores[own], labels[own]).probability(scores[rest])
        errors.append(calibration_error(probabilities, labels[rest]))
    return float(np.mean(errors))


def calibration_figures(
    calibrator: Calibrator, scores: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Judge a calibrator on pairs.

    Returns:
        `calibration_error`; `unsure`, the share of the pairs whose probability leaves the question
        open; and `accuracy_when_sure` on the others, if there are any.
    """
    probabilities = calibrator.probability(scores)
    unsure = (probabilities > UNSURE[0]) & (probabilities < UNSURE[1])
    figures = {
        "calibration_error": calibration_error(probabilities, labels),
        "unsure": float(unsure.mean()),
    }
    if not unsure.all():
        sure = ~unsure
        figures["accuracy_when_sure"] = float(np.mean((probabilities[sure] > 0.5) == labels[sure]))
    return figures
