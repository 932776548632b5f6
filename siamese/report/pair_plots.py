"""Draw how similarities tell positive pairs from negative ones: histograms, reliability, ROC, PR.

Each `draw_*` fills one matplotlib `Axes`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.encoder.calibration import Calibrator
from siamese.report.drawing import FAINT, INK, LINES, NEGATIVE, POSITIVE, legend_below, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Bars of a histogram: the square root of the number of pairs, within these.
FEWEST_BARS, MOST_BARS = 10, 50
# Of the reliability curve.
RELIABILITY_BINS = 10


def draw_similarities(
    axes: "Axes", scores: np.ndarray, labels: np.ndarray, threshold: float, similarity: str
) -> None:
    """Draw the histograms of the similarities of positive and of negative pairs.

    Bars are shares of the pairs of one label, so that many negatives do not dwarf few positives.

    Args:
        axes: where.
        scores: similarities `[pairs]`.
        labels: 0 or 1 `[pairs]`.
        threshold: a similarity above it is called similar.
        similarity: `cosine` or `notebook`.
    """
    bars = int(np.clip(np.sqrt(len(scores)), FEWEST_BARS, MOST_BARS))
    edges = np.histogram_bin_edges(scores, bars)
    looks: tuple[tuple[int, str, dict[str, Any]], ...] = (
        (1, "positive", {"fill": True, "color": POSITIVE, "alpha": 0.75}),
        (0, "negative", {"edgecolor": NEGATIVE, "hatch": "////", "lw": 1.6}),
    )
    for label, name, look in looks:
        own = scores[labels == label]
        shares = 100 * np.histogram(own, edges)[0] / len(own)
        axes.stairs(shares, edges, label=f"{name} pairs ({len(own):,})", **look)
    axes.margins(y=0.14)
    _mark_threshold(axes, edges[0], edges[-1], threshold)
    kind = "cosine" if similarity == "cosine" else "the notebook's, unbounded"
    axes.set(
        title="Similarities of the development pairs",
        xlabel=f"similarity ({kind})",
        ylabel="share of the pairs of that label (%)",
    )
    legend_below(axes, columns=2)


def _mark_threshold(axes: "Axes", low: float, high: float, threshold: float) -> None:
    """Draw the threshold; one far from all scores is only named, or it would squeeze the bars."""
    text = f"threshold {number(threshold)}"
    if threshold < low - (high - low):
        text, at = f"← {text}, below every score", low
    elif threshold > high + (high - low):
        text, at = f"{text}, above every score →", high
    else:
        at = threshold
        axes.axvline(threshold, color=INK, ls="--", lw=1.4)
    left, right = axes.get_xlim()
    on_the_left = at > (left + right) / 2
    axes.annotate(
        text,
        (at, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if on_the_left else 5, -3),
        textcoords="offset points",
        ha="right" if on_the_left else "left",
        va="top",
    )


def draw_roc(axes: "Axes", scores: np.ndarray, labels: np.ndarray, threshold: float) -> None:
    """Draw the ROC curve, and the point at the threshold; arguments as in `draw_similarities`."""
    from sklearn import metrics as sk

    false_rate, true_rate, _ = sk.roc_curve(labels, scores)
    area = number(sk.roc_auc_score(labels, scores))
    axes.plot(false_rate, true_rate, color=POSITIVE, label=f"encoder (AUC {area})")
    axes.plot([0, 1], [0, 1], color=FAINT, ls=":", lw=1.4, label="chance (AUC 0.5)")
    similar = scores > threshold
    point = np.mean(similar[labels == 0]), np.mean(similar[labels == 1])
    _mark_point(axes, point, threshold)
    axes.set(title="ROC", xlabel="false positive rate", ylabel="true positive rate")
    _unit_square(axes)


def draw_precision_recall(
    axes: "Axes", scores: np.ndarray, labels: np.ndarray, threshold: float
) -> None:
    """Draw precision by recall, and the point at the threshold; arguments as in `draw_roc`.

    Where no pair is above the threshold there is no precision, and so no point.
    """
    from sklearn import metrics as sk

    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    average = number(sk.average_precision_score(labels, scores))
    axes.step(recall, precision, where="post", color=POSITIVE, label=f"encoder (AP {average})")
    share = float(np.mean(labels))
    axes.axhline(share, color=FAINT, ls=":", lw=1.4, label=f"chance (AP {share:.4f})")
    similar = scores > threshold
    if similar.any():
        _mark_point(axes, (np.mean(similar[labels == 1]), np.mean(labels[similar])), threshold)
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision")
    _unit_square(axes)


def draw_reliability(
    axes: "Axes",
    scores: np.ndarray,
    labels: np.ndarray,
    threshold: float,
    calibrator: Calibrator | None,
) -> None:
    """Draw what share of the pairs of a similarity is positive; arguments as in `draw_roc`.

    Every other pair makes one curve and the rest the other, of bins of as many pairs each: where
    they lie apart, the share is known no better than that. The probability that the calibrator
    makes of a similarity is drawn behind them, if there is one.
    """
    for half, name in enumerate(("every other pair", "the rest")):
        order = np.argsort(scores[half::2], kind="stable")
        bins = [part for part in np.array_split(order, RELIABILITY_BINS) if len(part)]
        color, dashes, marker = LINES[half]
        axes.plot(
            [scores[half::2][part].mean() for part in bins],
            [100 * labels[half::2][part].mean() for part in bins],
            color=color,
            ls=dashes,
            marker=marker,
            ms=5,
            label=name,
        )
    if calibrator is not None:
        grid = np.linspace(scores.min(), scores.max(), 200)
        probability = 100 * calibrator.probability(grid)
        axes.plot(grid, probability, color=FAINT, lw=4, label="probability", zorder=1)
    axes.axhline(50, color=FAINT, ls=":", lw=1.4)
    axes.set_ylim(-2, 108)
    _mark_threshold(axes, float(scores.min()), float(scores.max()), threshold)
    axes.set(title="Reliability", xlabel="similarity", ylabel="positive pairs (%)")
    legend_below(axes, columns=3)


def _mark_point(axes: "Axes", point: tuple[Any, Any], threshold: float) -> None:
    axes.plot(
        *point,
        ls="",
        marker="o",
        ms=9,
        color=NEGATIVE,
        mec=INK,
        label=f"at the threshold {number(threshold)}",
        clip_on=False,
        zorder=3,
    )


def _unit_square(axes: "Axes") -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    legend_below(axes, columns=1)
