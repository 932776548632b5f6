"""Find the threshold that gives a wanted precision or recall, and say how sure it is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from siamese.errors import UserError

# Of every interval.
CONFIDENCE = 0.95
# Samples with replacement of the pairs, from which the threshold's interval is read.
RESAMPLES = 200


class Wanted(NamedTuple):
    """What a threshold shall give.

    Attributes:
        kind: precision or recall.
        value: above 0, and at most 1.
    """

    kind: Literal["precision", "recall"]
    value: float


@dataclass(frozen=True)
class FoundThreshold:
    """A threshold that was found on labelled pairs, with 95 % confidence intervals.

    Attributes:
        threshold: a similarity above it is called similar.
        threshold_interval: thresholds of the same pairs drawn again (bootstrap).
        precision: on these pairs, with its interval (Clopper and Pearson, 1934).
        precision_interval: low and high.
        recall: on these pairs, with its interval.
        recall_interval: low and high.
    """

    threshold: float
    threshold_interval: tuple[float, float]
    precision: float
    precision_interval: tuple[float, float]
    recall: float
    recall_interval: tuple[float, float]

    def intervals(self) -> dict[str, float]:
        """List the ends of the intervals by name."""
        return {
            f"{name}_{end}": interval[at]
            for name, interval in (
                ("threshold", self.threshold_interval),
                ("precision", self.precision_interval),
                ("recall", self.recall_interval),
            )
            for at, end in enumerate(("low", "high"))
        }

    def __str__(self) -> str:
        """Say it in a line."""

        def spoken(value: float, interval: tuple[float, float]) -> str:
            return f"{value:.4f} (95 %: {interval[0]:.4f} to {interval[1]:.4f})"

        return (
            f"threshold {spoken(self.threshold, self.threshold_interval)}: precision "
            f"{spoken(self.precision, self.precision_interval)}, recall "
            f"{spoken(self.recall, self.recall_interval)}"
        )


def find_threshold(scores: np.ndarray, labels: np.ndarray, wanted: Wanted) -> FoundThreshold:
    """Find the threshold for a precision or a recall.

    For a precision, the lowest threshold above which so large a share of these pairs is positive:
    it has the highest recall of all that do. For a recall, the highest threshold above which so
    large a share of the positive pairs lies: it costs the least precision.

    Args:
        scores: similarities, float `[pairs]`.
        labels: 0 or 1 `[pairs]`, both among them.
        wanted: a precision or a recall.

    Raises:
        UserError: no threshold gives the precision on enough of these pairs to speak of: fewer
            than 1 / (1 - precision) lie above it, so that one error more would undo it.
    """
    find = _for_precision if wanted.kind == "precision" else _for_recall
    threshold = find(scores, labels, wanted.value)
    if threshold is None:
        raise UserError(_out_of_reach(scores, labels, wanted.value))
    above = scores > threshold
    hits, positives = int(labels[above].sum()), int(labels.sum())
    return FoundThreshold(
        threshold,
        _bootstrapped(find, scores, labels, wanted.value, threshold),
        hits / int(above.sum()),
        _clopper_pearson(hits, int(above.sum())),
        hits / positives,
        _clopper_pearson(hits, positives),
    )


def _cuts(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every way to cut pairs, highest first, between two distinct scores.

    Returns:
        How many pairs lie above each cut, how many positive ones, and the cut as a threshold: the
        middle of the scores beside it; below all scores at the end.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    cut = np.flatnonzero(np.append(ranked[1:] < ranked[:-1], True))
    high = ranked[cut]
    low = np.append(ranked[cut[:-1] + 1], np.nextafter(ranked[-1], -np.inf))
    middle = low + (high - low) / 2
    return cut + 1, np.cumsum(labels[order])[cut], np.where(middle < high, middle, low)


def _support(precision: float) -> int:
    """How many pairs must lie above a threshold for it to be said to have a precision."""
    return 1 if precision == 1 else math.ceil(1 / (1 - precision) - 1e-9)


def _for_precision(scores: np.ndarray, labels: np.ndarray, wanted: float) -> float | None:
    above, hits, thresholds = _cuts(scores, labels)
    reached = np.flatnonzero((hits >= wanted * above - 1e-9) & (above >= _support(wanted)))
    return float(thresholds[reached[-1]]) if len(reached) else None


def _for_recall(scores: np.ndarray, labels: np.ndarray, wanted: float) -> float | None:
    _, hits, thresholds = _cuts(scores, labels)
    reached = np.flatnonzero(hits >= wanted * hits[-1] - 1e-9)
    return float(thresholds[reached[0]])


def _out_of_reach(scores: np.ndarray, labels: np.ndarray, wanted: float) -> str:
    above, hits, _ = _cuts(scores, labels)
    support = _support(wanted)
    enough = above >= support
    if not enough.any():
        return (
            f"--precision {wanted:g}: {len(scores):,} pairs are too few to tell: at least "
            f"{support:,} must lie above the threshold. Give more pairs."
        )
    best = float(np.max(hits[enough] / above[enough]))
    return (
        f"--precision {wanted:g}: no threshold reaches it on these pairs; the highest precision "
        f"of one with at least {support:,} pairs above it is {best:.4f}. Ask for less, or train "
        "a better model."
    )


def _bootstrapped(
    find: Callable[[np.ndarray, np.ndarray, float], float | None],
    scores: np.ndarray,
    labels: np.ndarray,
    wanted: float,
    found: float,
) -> tuple[float, float]:
    """Find the threshold on the pairs drawn again and again; the middle 95 % of what is found."""
    drawn = np.random.default_rng(0)
    thresholds = [found]
    for _ in range(RESAMPLES):
        rows = drawn.integers(0, len(scores), len(scores))
        if labels[rows].any():
            again = find(scores[rows], labels[rows], wanted)
            # Out of reach in this sample: above all.
            thresholds.append(float(scores.max()) if again is None else again)
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(thresholds, [outside, 1 - outside], method="nearest")
    return float(low), float(high)


def _clopper_pearson(hits: int, tries: int) -> tuple[float, float]:
    """Bound a share from both sides: exactly, and so rather too wide than too narrow."""
    from scipy.stats import binomtest

    interval = binomtest(hits, tries).proportion_ci(CONFIDENCE, "exact")
    return float(interval.low), float(interval.high)
