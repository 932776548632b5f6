"""What comes of a sweep: a table of the trials, the best recipe, its model, and the report."""

import csv
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed.sweep.folder import SweepFolder
from distributed.sweep.sweep import Sweep
from distributed.sweep.threshold import threshold_note
from distributed.sweep.trial_log import TrialLog, ranking
from distributed.sweep.trials import Trials
from siamese.config.loading import with_settings
from siamese.config.metrics import METRICS, metric_of
from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.errors import UserError
from siamese.storage.atomic import read_json, replacing, replacing_folder, write_json
from siamese.training.run_folder import RunFolder


def write_results(trials: Trials, sweep: Sweep, test_pairs: list[Pair] | None) -> TrialLog:
    """Write `trials.csv`, `best_recipe.yaml`, `best/`, `test.json` and `sweep.html`.

    Doing it again writes the same, `test.json` included: the test pairs judge one model.

    Args:
        trials: all of the sweep; they have ended.
        sweep: what was asked for.
        test_pairs: to judge the best model on; None: none.

    Returns:
        The best trial.
    """
    from distributed.sweep.report import write_sweep_report

    folder, logs, metric, recipe = trials.folder, trials.logs, sweep.metric, sweep.recipe
    winner = _winner(folder, logs, metric)
    _write_table(folder.path / "trials.csv", logs, metric)
    with replacing(folder.path / "best_recipe.yaml") as beside:
        text = _best_recipe(winner, best_recipe(recipe, winner), metric, logs)
        beside.write_text(text, encoding="utf-8")
    _keep_model(folder, winner, best_recipe(recipe, winner))
    test = _judge(folder, test_pairs) if test_pairs else None
    write_sweep_report(folder, logs, winner, recipe, sweep.space, test)
    folder.publish()

    figures = winner.best(metric)
    assert figures is not None
    print(f"best: trial {winner.number}, epoch {figures['epoch']}, {metric} {figures[metric]:.4f}")
    if "evaluation.threshold" in sweep.space.ranges:
        print(threshold_note(figures, metric))
    if test:
        print(
            f"test pairs, judged once with the model and threshold that the development pairs "
            f"chose: accuracy {test['accuracy']:.4f}, roc_auc {test['roc_auc']:.4f}"
        )
    print(f"recipe: {folder.inner('best_recipe.yaml')}")
    print(f"report: {folder.inner('sweep.html')}")
    return winner


def best_recipe(recipe: Recipe, winner: TrialLog) -> Recipe:
    """Make the recipe of the best trial; its threshold is fitted if the metric needs none.

    A threshold that was searched is then no better than any other: nothing chose it.
    """
    settings = dict(winner.settings)
    if (
        "evaluation.threshold" in settings
        and not metric_of(recipe.evaluation.metric).needs_threshold
    ):
        settings["evaluation.threshold"] = "fit"
    return with_settings(recipe, settings)


def _keep_model(folder: SweepFolder, winner: TrialLog, recipe: Recipe) -> None:
    """Put the best trial's model into `best/`."""
    run = RunFolder.open(folder.inner(f"trials/{winner.name}"))
    if recipe.evaluation.threshold == winner.settings.get(
        "evaluation.threshold", recipe.evaluation.threshold
    ):
        with replacing_folder(folder.best) as beside:
            shutil.copytree(run.best, beside, dirs_exist_ok=True)
        return
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.evaluation.pair_metrics import evaluate_scores
    from siamese.report.run_contents import read_scores

    encoder = SentenceEncoder.load(run.best)
    _, labels, scores = read_scores(run.scores_file)
    metrics = evaluate_scores(scores, labels, "fit")
    encoder.recipe, encoder.threshold = recipe, metrics.threshold
    encoder.metrics = {**encoder.metrics, **metrics.as_dict()}
    encoder.save(folder.best)


def _winner(folder: SweepFolder, logs: Mapping[int, TrialLog], metric: str) -> TrialLog:
    """Find the best trial whose kept model is the one of its best figures.

    A trial of population based training that took over another's weights may have been better
    than what it kept; then the donor has the model.
    """
    ranked = ranking(logs, metric)
    for log in ranked:
        kept = RunFolder.open(folder.inner(f"trials/{log.name}")).best / "metrics.json"
        best = log.best(metric)
        if (
            best
            and kept.is_file()
            and abs(read_json(kept).get(metric, math.nan) - best[metric]) < 1e-9
        ):
            return log
    raise UserError(
        f"{folder.inner('trials')}: no trial has its best model any more. Run the sweep again "
        "with --fresh."
    )


def _write_table(path: Path, logs: Mapping[int, TrialLog], metric: str) -> None:
    keys = list(dict.fromkeys(key for log in logs.values() for key in log.settings))
    found = {name for log in logs.values() for each in log.evaluations for name in each}
    known = (*METRICS, "threshold", "best_threshold")
    figures = list(dict.fromkeys([metric, *(name for name in known if name in found)]))
    head = ["trial", "rank", "status", "epochs", "best_epoch", *figures, *keys, "error"]
    order = [log.number for log in ranking(logs, metric)]
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.DictWriter(stream, head)
        rows.writeheader()
        for number, log in sorted(logs.items()):
            best = log.best(metric) or {}
            rows.writerow(
                {
                    **{name: best.get(name, "") for name in figures},
                    **{key: json.dumps(value) for key, value in log.settings.items()},
                    "trial": number,
                    "rank": order.index(number) + 1 if number in order else "",
                    "status": log.status,
                    "epochs": len(log.evaluations),
                    "best_epoch": best.get("epoch", ""),
                    "error": log.error,
                }
            )


def _best_recipe(
    winner: TrialLog, recipe: Recipe, metric: str, logs: Mapping[int, TrialLog]
) -> str:
    figures = winner.best(metric)
    assert figures is not None
    return (
        f"# The best of {len(logs)} trials: trial {winner.number}, epoch {figures['epoch']}.\n"
        f"# {metric} {figures[metric]:.4f} on the development pairs, which chose it.\n"
        "# Run:      siamese train --data DIR --dev PAIRS --run DIR --recipe THIS_FILE\n"
        + recipe.to_yaml()
    )


def _judge(folder: SweepFolder, pairs: list[Pair]) -> dict[str, Any]:
    """Judge the best model on the test pairs with the threshold stored with it."""
    from siamese.encoder.sentence_encoder import SentenceEncoder
    from siamese.evaluation.pair_metrics import evaluate_scores, grades_of, pair_scores

    encoder = SentenceEncoder.load(folder.best)
    scores = pair_scores(pairs, encoder.encode, encoder.recipe.evaluation.similarity)
    metrics = evaluate_scores(scores, grades_of(pairs), encoder.threshold).as_dict()
    write_json(folder.path / "test.json", metrics)
    return metrics
