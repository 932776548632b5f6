"""The report of a sweep: one HTML file that explains the choice, and its pictures as PNG."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from distributed.sweep import plots as sweep_plots
from distributed.sweep.folder import SweepFolder
from distributed.sweep.trial_log import TrialLog, in_order, ranking
from siamese.config.recipe import Recipe, with_settings
from siamese.config.search_space import Space, in_words
from siamese.report.html import document, escape, picture, table
from siamese.report.plots import METRIC_NAMES, number, to_png
from siamese.storage.atomic import replacing

_ALT_TEXTS = {
    "curves": "The metric of every trial by epoch",
    "best_so_far": "Every evaluation and the best so far by minutes of the sweep",
    "parallel": "Parallel coordinates: each trial as a line through its settings to its metric",
    "importances": "The importance of each setting",
}


def write_sweep_report(
    folder: SweepFolder,
    logs: Mapping[int, TrialLog],
    winner: TrialLog,
    recipe: Recipe,
    space: Space,
    test: Mapping[str, Any] | None,
) -> None:
    """Write `sweep.html` and `pictures/*.png` into the sweep's folder.

    Args:
        folder: of the sweep.
        logs: of all trials.
        winner: the best one.
        recipe: whose settings were searched.
        space: the ranges.
        test: the winner's metrics on the test pairs, if there are any.
    """
    metric = recipe.evaluation.metric
    judged = ranking(logs, metric)
    shares = sweep_plots.importances(judged, space, metric)
    wide = (6.4, 4.6)
    draws: dict[str, tuple[Callable[..., None], tuple[float, float]]] = {
        "curves": (
            partial(sweep_plots.draw_curves, logs=judged, winner=winner, metric=metric),
            wide,
        ),
        "best_so_far": (
            partial(
                sweep_plots.draw_best_so_far,
                evaluations=[each for _, each in in_order(dict(logs))],
                metric=metric,
            ),
            wide,
        ),
        "parallel": (
            partial(
                sweep_plots.draw_parallel, logs=judged, winner=winner, space=space, metric=metric
            ),
            (1.4 * (len(space.ranges) + 1) + 1.5, 5.2),
        ),
    }
    if shares:
        draws["importances"] = (
            partial(sweep_plots.draw_importances, shares=shares),
            (6.4, 1.2 + 0.45 * len(shares)),
        )
    pictures = {name: to_png([draw], *size) for name, (draw, size) in draws.items()}
    for name, png in pictures.items():
        with replacing(folder.path / "pictures" / f"{name}.png") as beside:
            beside.write_bytes(png)
    page = _page(folder, logs, judged, winner, recipe, space, test, pictures)
    with replacing(folder.path / "sweep.html") as beside:
        beside.write_text(page, encoding="utf-8")


def epochs_saved(logs: Mapping[int, TrialLog], recipe: Recipe) -> tuple[int, int]:
    """Epochs that were trained, and those that all trials in full would have taken."""
    trained = sum(len(log.evaluations) for log in logs.values())
    full = sum(
        with_settings(recipe, log.settings).training.epochs
        for log in logs.values()
        if log.status != "failed"
    )
    return trained, max(full, trained)


def _page(
    folder: SweepFolder,
    logs: Mapping[int, TrialLog],
    judged: Sequence[TrialLog],
    winner: TrialLog,
    recipe: Recipe,
    space: Space,
    test: Mapping[str, Any] | None,
    pictures: Mapping[str, bytes],
) -> str:
    metric = recipe.evaluation.metric
    figures = winner.best(metric)
    assert figures is not None
    shown = {name: picture(_ALT_TEXTS[name], png) for name, png in pictures.items()}
    return document(
        f"Sweep {folder.path.resolve().name}: {len(logs)} trials",
        f"""{_verdict(logs, winner, figures, recipe)}
{_threshold(figures, space, metric)}
{_test(test)}
<h2>The best trial</h2>
{_settings(winner, space, recipe)}
<h2>All trials</h2>
<div class="pictures">{shown["curves"]}{shown["best_so_far"]}</div>
<h2>Settings</h2>
{shown["parallel"]}
{shown.get("importances", "<p>Too few trials to say which setting matters.</p>")}
<p>The importances are those of a random forest on {len(judged)} trials: a hint where to look next,
not a measurement. Trials that were stopped early count with the best that they reached.</p>
<h2>Table</h2>
{_trials(logs, metric)}""",
    )


def _verdict(
    logs: Mapping[int, TrialLog], winner: TrialLog, figures: Mapping[str, Any], recipe: Recipe
) -> str:
    metric = recipe.evaluation.metric
    trained, full = epochs_saved(logs, recipe)
    seconds = max(each["at"] for log in logs.values() for each in log.evaluations)
    failed = sum(log.status == "failed" for log in logs.values())
    tiles = {
        f"best {METRIC_NAMES[metric]}": number(figures[metric]),
        "its accuracy": number(figures["accuracy"]),
        "trial": str(winner.number),
        "epoch": str(figures["epoch"]),
        "minutes": f"{seconds / 60:.1f}",
        "epochs trained": f"{trained} of {full}",
        "trials failed": str(failed),
    }
    items = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in tiles.items()
    )
    return f"""<p>Of {len(logs)} trials, trial {winner.number} reached the highest
{escape(METRIC_NAMES[metric])} on the development pairs, which also picked its epoch. Its recipe is
<code>best_recipe.yaml</code>, its model is in <code>best/</code>. The scheduler stopped trials so
that {1 - trained / full:.0%} of the epochs of all trials in full were not trained.</p>
<dl>
{items}
</dl>
<p class="note">The best of many trials on the same development pairs is flattered by the choice:
judge the model on pairs that chose nothing (<code>--test</code>, or
<code>siamese evaluate</code>).</p>
"""


def _threshold(figures: Mapping[str, Any], space: Space, metric: str) -> str:
    from distributed.sweep.threshold import threshold_note

    if "evaluation.threshold" not in space.ranges:
        return ""
    note = threshold_note(figures, metric)
    return f"<p>{escape(note[0].upper() + note[1:])}.</p>"


def _test(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "<p>No test pairs were given.</p>"
    rows = [(METRIC_NAMES[name], number(test[name])) for name in METRIC_NAMES if name in test]
    return (
        f"<h2>Test pairs</h2><p>{test['pairs']:,} pairs, judged once, at the end, with the model "
        f"and the threshold that the development pairs chose.</p>"
        + table("counts", ("metric", "value"), rows)
    )


def _settings(winner: TrialLog, space: Space, recipe: Recipe) -> str:
    base = recipe.model_dump(mode="json")
    rows = []
    for key in space.ranges:
        before: Any = base
        for part in key.split("."):
            before = before[part]
        rows.append((key, str(winner.settings[key]), str(before)))
    return table("recipe", ("setting", "the best trial", "the recipe it started from"), rows)


def _trials(logs: Mapping[int, TrialLog], metric: str) -> str:
    order = {log.number: rank for rank, log in enumerate(ranking(logs, metric), start=1)}
    rows = []
    for log in sorted(
        logs.values(), key=lambda log: (order.get(log.number, len(logs)), log.number)
    ):
        best = log.best(metric)
        rows.append(
            (
                str(order.get(log.number, "")),
                str(log.number),
                log.status,
                str(len(log.evaluations)),
                number(best[metric]) if best else "",
                log.error or in_words(log.settings),
            )
        )
    head = ("rank", "trial", "status", "epochs", METRIC_NAMES[metric], "settings")
    return table("trials", head, rows)
