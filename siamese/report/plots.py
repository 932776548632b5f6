"""The report's pictures of figures: curves, similarities, reliability, ROC, precision-recall.

Each `draw_*` fills one matplotlib `Axes`; `to_png` lays several side by side. The global state of
matplotlib (backend, settings) is left as it was.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
# Of Okabe and Ito's colour-blind-safe palette; the two differ in lightness too, and so in grey.
POSITIVE, NEGATIVE = "#0072b2", "#e69f00"
INK, FAINT = "#1f2933", "#8a949e"
# Lines are told apart by colour, dashes and markers.
LINES = (
    ("#0072b2", "-", "o"),
    ("#d55e00", "--", "s"),
    ("#009e73", "-.", "^"),
    ("#7b4fa3", ":", "D"),
    ("#1f2933", "-", "v"),
)
METRIC_NAMES = {
    "accuracy": "accuracy",
    "best_accuracy": "best accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "spearman": "Spearman",
    "pearson": "Pearson",
}
SHOWN_METRICS = ("roc_auc", "average_precision", "accuracy", "spearman")
# Bars of a histogram: the square root of the number of pairs, within these.
FEWEST_BARS, MOST_BARS = 10, 50
# Of the reliability curve.
RELIABILITY_BINS = 10
# A curve of at most so many points shows them.
FEW = 25

_STYLE: dict[Any, Any] = {
    "font.family": ["Noto Sans SC"],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#e4e7eb",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "text.parse_math": False,
}


def number(value: float) -> str:
    """A figure with four decimals and a real minus sign."""
    return f"{value:.4f}".replace("-", "−")


@contextmanager
def chinese_style() -> Iterator[None]:
    """Draw with the report's settings and Noto Sans SC, whatever the user's matplotlibrc says."""
    import matplotlib
    from matplotlib.font_manager import fontManager
    from pylopdf_fonts_zh_cn import sans_path

    font = str(sans_path())
    if all(entry.fname != font for entry in fontManager.ttflist):
        fontManager.addfont(font)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def png_of(figure: "Figure") -> bytes:
    """A figure as PNG; the same figure gives the same bytes (no date, no version)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    # Not savefig, which draws twice.
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def to_png(draws: Sequence[Callable[["Axes"], None]], width: float, height: float) -> bytes:
    """Draw panels side by side.

    Args:
        draws: each fills the `Axes` that it is given.
        width: of a panel, in inches.
        height: in inches.
    """
    with chinese_style():
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = Figure(figsize=(width * len(draws), height), dpi=DPI, layout=layout)
        for axes, draw in zip(figure.subplots(1, len(draws), squeeze=False)[0], draws, strict=True):
            draw(axes)
        return png_of(figure)


def draw_loss(axes: "Axes", lines: Sequence[Mapping[str, Any]], best_step: int) -> None:
    """Draw the training loss by step.

    Args:
        axes: where.
        lines: the log's `train` events: `step`, and the mean `loss` since the one before.
        best_step: the step at which the model was kept.
    """
    steps = [line["step"] for line in lines]
    marker = "o" if len(steps) <= FEW else ""
    axes.plot(steps, [line["loss"] for line in lines], color=POSITIVE, marker=marker, ms=4)
    axes.axvline(best_step, color=FAINT, ls="--", lw=1.2, zorder=1, label="the best epoch's end")
    whole_ticks(axes)
    axes.set(title="Training loss", xlabel="step", ylabel="contrastive loss")
    _legend_below(axes, columns=1)


def draw_metrics(
    axes: "Axes", evaluations: Sequence[Mapping[str, Any]], best_epoch: int, chosen: str
) -> None:
    """Draw the metrics of the development pairs by epoch.

    Args:
        axes: where.
        evaluations: the log's `evaluation` events: `epoch` and the metrics.
        best_epoch: the epoch whose model was kept.
        chosen: the metric that picked it; drawn besides `SHOWN_METRICS`, and thicker.
    """
    epochs = [line["epoch"] for line in evaluations]
    names = [*SHOWN_METRICS, *({chosen} - set(SHOWN_METRICS))]
    for name, (color, dashes, marker) in zip(names, LINES, strict=False):
        axes.plot(
            epochs,
            [line[name] for line in evaluations],
            color=color,
            ls=dashes,
            marker=marker if len(epochs) <= FEW else "",
            ms=5,
            lw=2.8 if name == chosen else 1.6,
            label=METRIC_NAMES[name],
        )
    label = f"best epoch: {best_epoch}"
    axes.axvline(best_epoch, color=FAINT, ls="--", lw=1.2, zorder=1, label=label)
    axes.set_xlim(min(epochs) - 0.5, max(*epochs, best_epoch) + 0.5)
    whole_ticks(axes)
    axes.set(title=f"Development pairs ({METRIC_NAMES[chosen]} picks the epoch)", xlabel="epoch")
    _legend_below(axes, columns=2)


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
    _legend_below(axes, columns=2)


def _mark_threshold(axes: "Axes", low: float, high: float, threshold: float) -> None:
    """Draw the threshold; one far from all scores is only told, or it would squeeze the bars."""
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
    axes: "Axes", scores: np.ndarray, labels: np.ndarray, threshold: float
) -> None:
    """Draw what share of the pairs of a similarity is positive; arguments as in `draw_roc`.

    Every other pair makes one curve and the rest the other, of bins of as many pairs each: where
    they lie apart, the share is known no better than that.
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
    axes.axhline(50, color=FAINT, ls=":", lw=1.4)
    axes.set_ylim(-2, 108)
    _mark_threshold(axes, float(scores.min()), float(scores.max()), threshold)
    axes.set(title="Reliability", xlabel="similarity", ylabel="positive pairs (%)")
    _legend_below(axes, columns=2)


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
    _legend_below(axes, columns=1)


def whole_ticks(axes: "Axes") -> None:
    """Put marks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )


def _legend_below(axes: "Axes", columns: int) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=columns)
