"""Write the report of a sweep: one HTML file that explains the choice, and its pictures as PNG."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from distributed.sweep import plots
from distributed.sweep.folder import SweepFolder
from distributed.sweep.threshold import threshold_note
from distributed.sweep.trial_log import TrialLog, in_order, ranking
from siamese.config.metrics import METRICS, metric_of
from siamese.config.recipe import Recipe
from siamese.config.search_space import Space, in_words
from siamese.report.drawing import number, to_png
from siamese.report.html import render
from siamese.storage.atomic import replacing

_TEMPLATE = Path(__file__).with_name("templates") / "sweep.html.j2"


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
    pictures = _draw(logs, winner, space, recipe.evaluation.metric)
    for name, png in pictures.items():
        with replacing(folder.path / "pictures" / f"{name}.png") as beside:
            beside.write_bytes(png)
    title = f"Sweep {folder.path.resolve().name}: {len(logs)} trials"
    values = _values(logs, winner, recipe, space)
    page = render(
        _TEMPLATE,
        title=title,
        pictures=pictures,
        test=test,
        test_figures=_test_figures(test or {}),
        **values,
    )
    with replacing(folder.path / "sweep.html") as beside:
        beside.write_text(page, encoding="utf-8")


def _draw(
    logs: Mapping[int, TrialLog], winner: TrialLog, space: Space, metric: str
) -> dict[str, bytes]:
    """Draw the pictures, PNGs by name; without importances if there are too few trials."""
    judged = ranking(logs, metric)
    evaluations = [each for _, each in in_order(dict(logs))]
    of_trials: dict[str, Any] = {"logs": judged, "winner": winner, "metric": metric}
    draws: dict[str, tuple[Callable[..., None], tuple[float, float]]] = {
        "curves": (partial(plots.draw_curves, **of_trials), (6.4, 4.6)),
        "best_so_far": (
            partial(plots.draw_best_so_far, evaluations=evaluations, metric=metric),
            (6.4, 4.6),
        ),
        "parallel": (
            partial(plots.draw_parallel, **of_trials, space=space),
            (1.4 * (len(space.ranges) + 1) + 1.5, 5.2),
        ),
    }
    if shares := plots.importances(judged, space, metric):
        size = (6.4, 1.2 + 0.45 * len(shares))
        draws["importances"] = (partial(plots.draw_importances, shares=shares), size)
    return {name: to_png([draw], *size) for name, (draw, size) in draws.items()}


def epochs_saved(logs: Mapping[int, TrialLog], recipe: Recipe) -> tuple[int, int]:
    """Count the epochs that were trained, and those that all trials in full would have taken."""
    trained = sum(len(log.evaluations) for log in logs.values())
    full = sum(
        log.settings.get("training.epochs", recipe.training.epochs)
        for log in logs.values()
        if log.status != "failed"
    )
    return trained, max(full, trained)


def _values(
    logs: Mapping[int, TrialLog], winner: TrialLog, recipe: Recipe, space: Space
) -> dict[str, Any]:
    """Gather what the template asks for besides title, pictures and test pairs."""
    metric = metric_of(recipe.evaluation.metric)
    figures = winner.best(metric.key)
    assert figures is not None
    trained, full = epochs_saved(logs, recipe)
    seconds = max(each["at"] for log in logs.values() for each in log.evaluations)
    note = ""
    if "evaluation.threshold" in space.ranges:
        note = threshold_note(figures, metric.key)
    return {
        "metric": metric,
        "winner": winner,
        "trials": len(logs),
        "judged": len(ranking(logs, metric.key)),
        "not_trained": 1 - trained / full,
        "threshold_note": note[:1].upper() + note[1:],
        "figure_tiles": [
            (f"best {metric.label}", number(figures[metric.key])),
            ("its accuracy", number(figures["accuracy"])),
            ("trial", str(winner.number)),
            ("epoch", str(figures["epoch"])),
            ("minutes", f"{seconds / 60:.1f}"),
            ("epochs trained", f"{trained} of {full}"),
            ("trials failed", str(sum(log.status == "failed" for log in logs.values()))),
        ],
        "settings": _settings(winner, space, recipe),
        "all_trials": _trials(logs, metric.key),
    }


def _test_figures(test: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(metric.label, number(test[key])) for key, metric in METRICS.items() if key in test]


def _settings(winner: TrialLog, space: Space, recipe: Recipe) -> list[tuple[str, str, str]]:
    """List the settings that were searched: key, the best trial's value, the recipe's."""
    base = recipe.model_dump(mode="json")
    rows = []
    for key in space.ranges:
        before: Any = base
        for part in key.split("."):
            before = before[part]
        rows.append((key, str(_short(winner.settings[key])), str(before)))
    return rows


def _trials(logs: Mapping[int, TrialLog], metric: str) -> list[tuple[str, ...]]:
    """List all trials, the best first, those that cannot be compared last."""
    ranks = {log.number: rank for rank, log in enumerate(ranking(logs, metric), start=1)}
    rows: list[tuple[str, ...]] = []
    for log in sorted(
        logs.values(), key=lambda log: (ranks.get(log.number, len(logs)), log.number)
    ):
        best = log.best(metric)
        settings = {key: _short(value) for key, value in log.settings.items()}
        rows.append(
            (
                str(ranks.get(log.number, "")),
                str(log.number),
                log.status,
                str(len(log.evaluations)),
                number(best[metric]) if best else "",
                log.error or in_words(settings),
            )
        )
    return rows


def _short(value: Any) -> Any:
    """Round a number to four digits; the recipe files have all of them."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
