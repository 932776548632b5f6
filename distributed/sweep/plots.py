"""Draw the pictures of a sweep: curves, parallel coordinates, importances, best so far.

Each `draw_*` fills one matplotlib `Axes`, as those of `siamese.report` do.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distributed.sweep.trial_log import TrialLog
from siamese.config.metrics import metric_of
from siamese.config.ranges import Choice, Layers, Numbers, Range
from siamese.config.search_space import Space
from siamese.report.drawing import FAINT, INK, POSITIVE, whole_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Below so many trials an importance would be noise.
FEWEST = 8
BEST = "#d55e00"


def draw_curves(axes: "Axes", logs: Sequence[TrialLog], winner: TrialLog, metric: str) -> None:
    """Draw the metric of every trial by epoch; a cross ends a trial that was stopped."""
    for log in logs:
        if not log.evaluations or log is winner:
            continue
        epochs, values = _curve(log, metric)
        axes.plot(epochs, values, color=FAINT, lw=1.2, alpha=0.7)
        stopped = log.status == "stopped"
        axes.plot(epochs[-1:], values[-1:], color=FAINT, marker="x" if stopped else "o", ms=6)
    epochs, values = _curve(winner, metric)
    axes.plot(epochs, values, color=BEST, lw=2.8, marker="o", ms=5, label=f"trial {winner.number}")
    axes.plot([], [], color=FAINT, marker="x", label="stopped by the scheduler")
    axes.plot([], [], color=FAINT, marker="o", label="ran to its end")
    whole_ticks(axes)
    axes.set(title=f"All trials: {metric_of(metric).label} by epoch", xlabel="epoch")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=9)


def draw_best_so_far(axes: "Axes", evaluations: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Draw every evaluation of the sweep and the best one so far, by time.

    Args:
        axes: where.
        evaluations: of all trials, in the order of their `at` (seconds of the sweep).
        metric: the key of the figure to draw.
    """
    minutes = np.array([each["at"] for each in evaluations]) / 60
    values = np.array([each[metric] for each in evaluations])
    axes.plot(minutes, values, ls="", marker="o", ms=4, color=FAINT, label="an epoch of a trial")
    better = np.maximum if metric_of(metric).higher_is_better else np.minimum
    best = better.accumulate(values)
    axes.step(minutes, best, where="post", color=POSITIVE, lw=2.4, label="best so far")
    axes.set(title=f"{metric_of(metric).label} by time", xlabel="minutes of the sweep")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=9)


def draw_parallel(
    axes: "Axes", logs: Sequence[TrialLog], winner: TrialLog, space: Space, metric: str
) -> None:
    """Draw each trial as a line through its settings to its metric."""
    from matplotlib import colormaps

    keys = list(space.ranges)
    scales = [_Scale(space.ranges[key], [log.settings[key] for log in logs]) for key in keys]
    values = np.array([_best(log, metric) for log in logs])
    low, high = float(values.min()), float(values.max())
    heights = (values - low) / ((high - low) or 1.0)
    goodness = heights if metric_of(metric).higher_is_better else 1 - heights
    # The best are drawn last, above the others, and brightest.
    for i in sorted(range(len(logs)), key=lambda i: (logs[i] is winner, goodness[i])):
        at = [
            scale.position(logs[i].settings[key]) for scale, key in zip(scales, keys, strict=True)
        ]
        is_winner = logs[i] is winner
        axes.plot(
            [*at, heights[i]],
            color=BEST if is_winner else colormaps["cividis"](float(goodness[i])),
            lw=3.2 if is_winner else 1.3,
            alpha=1.0 if is_winner else 0.75,
            label=f"trial {winner.number}, the best" if is_winner else None,
        )
    names = [key.replace(".", "\n") for key in keys]
    axes.set_xticks(range(len(keys) + 1), [*names, metric_of(metric).label])
    axes.set_yticks([])
    axes.set_ylim(-0.06, 1.06)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    ticks = [scale.ticks() for scale in scales]
    ticks.append([(0.0, f"{low:.4f}"), (1.0, f"{high:.4f}")])
    for x, marks in enumerate(ticks):
        axes.axvline(x, color=INK, lw=1.0, zorder=1)
        for y, text in marks:
            axes.text(
                x + 0.02, y, text, fontsize=8.5, va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
            )  # fmt: skip
    axes.set_title("Settings of all trials")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9)


def importances(logs: Sequence[TrialLog], space: Space, metric: str) -> dict[str, float] | None:
    """Compute how much each setting matters for the metric, the most important first.

    A random forest learns the metric from the settings; a setting's importance is how much the
    forest's R² falls when that setting is shuffled among the trials (Breiman, 2001), as a share of
    all. Trials that were stopped early count with the best that they reached.

    Returns:
        The share of each setting, or None: too few trials, or all equally good.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    values = np.array([_best(log, metric) for log in logs])
    if len(logs) < FEWEST or np.ptp(values) == 0:
        return None
    keys = list(space.ranges)
    scales = [_Scale(space.ranges[key], [log.settings[key] for log in logs]) for key in keys]
    table = np.array(
        [
            [scale.position(log.settings[key]) for scale, key in zip(scales, keys, strict=True)]
            for log in logs
        ]
    )
    forest = RandomForestRegressor(300, random_state=0).fit(table, values)
    found = permutation_importance(forest, table, values, n_repeats=30, random_state=0)
    falls = np.maximum(found.importances_mean, 0)
    shares = falls / (falls.sum() or 1.0)
    return dict(sorted(zip(keys, shares.tolist(), strict=True), key=lambda pair: -pair[1]))


def draw_importances(axes: "Axes", shares: Mapping[str, float]) -> None:
    """Draw the importance of each setting as a bar."""
    names, values = list(shares)[::-1], list(shares.values())[::-1]
    bars = axes.barh(names, values, color=POSITIVE)
    axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=4)
    axes.set_xlim(0, max(values) * 1.18 or 1)
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.set_title("What the metric hangs on")


class _Scale:
    """Puts the values of a setting between 0 and 1.

    Args:
        values: the setting's range.
        seen: its values in all trials.
    """

    def __init__(self, values: Range, seen: Sequence[Any]) -> None:
        self._log = isinstance(values, Numbers) and values.log
        self._words: list[Any] = []
        if isinstance(values, Layers):
            self._words = sorted({tuple(each) for each in seen}, key=lambda u: (len(u), u))
        elif isinstance(values, Choice):
            self._words = list(values.values)
        if self._words:
            self._low, self._high = 0.0, float(max(len(self._words) - 1, 1))
        else:
            self._low, self._high = self._flat(values.ends()[0]), self._flat(values.ends()[1])

    def _flat(self, value: Any) -> float:
        return float(np.log(value)) if self._log else float(value)

    def position(self, value: Any) -> float:
        """Return the position of a value, 0 to 1."""
        if self._words:
            layers = isinstance(self._words[0], tuple)
            return self._words.index(tuple(value) if layers else value) / self._high
        return (self._flat(value) - self._low) / ((self._high - self._low) or 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """List positions, 0 to 1, and what to write there."""
        if self._words:
            texts = [str(list(w)) if isinstance(w, tuple) else str(w) for w in self._words]
            return [(i / self._high, text) for i, text in enumerate(texts)]
        ends = np.linspace(self._low, self._high, 3)
        return [
            (position, f"{np.exp(end) if self._log else end:.3g}")
            for position, end in zip((0.0, 0.5, 1.0), ends, strict=True)
        ]


def _curve(log: TrialLog, metric: str) -> tuple[list[int], list[float]]:
    return [e["epoch"] for e in log.evaluations], [e[metric] for e in log.evaluations]


def _best(log: TrialLog, metric: str) -> float:
    best = log.best(metric)
    assert best is not None
    return float(best[metric])
