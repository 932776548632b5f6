"""Draw a run's curves: loss by step, metrics by epoch.

Each `draw_*` fills one matplotlib `Axes`.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from siamese.config.metrics import METRICS, metric_of
from siamese.report.drawing import FAINT, LINES, POSITIVE, legend_below, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Those that are always drawn.
SHOWN_METRICS = ("roc_auc", "average_precision", "accuracy", "spearman")
# A curve of at most so many points shows them.
FEW = 25
# Characters that fit above a panel.
TITLE_WIDTH = 50


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
    axes.set(title="Training loss", xlabel="step", ylabel="loss")
    legend_below(axes, columns=1)


def draw_metrics(
    axes: "Axes", evaluations: Sequence[Mapping[str, Any]], best_epoch: int, chosen: str
) -> None:
    """Draw the metrics of the development pairs by epoch.

    Args:
        axes: where.
        evaluations: the log's `evaluation` events: `epoch` and the metrics.
        best_epoch: the epoch whose model was kept.
        chosen: the key of the metric that picked it; drawn besides `SHOWN_METRICS`, and thicker.
    """
    epochs = [line["epoch"] for line in evaluations]
    other = None
    for key, (color, dashes, marker) in zip(
        dict.fromkeys((*SHOWN_METRICS, chosen)), LINES, strict=False
    ):
        if key not in METRICS:  # a user's own, of any size: with an axis of its own
            other = axes.twinx()
            other.set_ylabel(metric_of(key).label)
            other.grid(visible=False)
        (other or axes).plot(
            epochs,
            [line[key] for line in evaluations],
            color=color,
            ls=dashes,
            marker=marker if len(epochs) <= FEW else "",
            ms=5,
            lw=2.8 if key == chosen else 1.6,
            label=metric_of(key).label,
        )
    label = f"best epoch: {best_epoch}"
    axes.axvline(best_epoch, color=FAINT, ls="--", lw=1.2, zorder=1, label=label)
    axes.set_xlim(min(epochs) - 0.5, max(*epochs, best_epoch) + 0.5)
    whole_ticks(axes)
    title = f"Development pairs ({metric_of(chosen).label} picks the epoch)"
    axes.set(title=fill(title, TITLE_WIDTH), xlabel="epoch")
    legend_below(axes, columns=2, more=other.get_lines() if other else ())
