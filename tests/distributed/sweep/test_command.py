"""Sweeps in a process of their own: what they find and leave behind, and that they resume to it.

Each trial is a process that imports TensorFlow, so most of these take 20 to 60 seconds.
"""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from faults import weights
from small_sweep import TEST, command, start, trials_of

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe, with_settings

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Path:
    """A seeded sweep of four trials, one after another, that nothing happens to."""
    folder = tmp_path_factory.mktemp("sweeps")
    run = folder / "whole"
    process = start(data, run, "default", *_FOUR, "--test", str(TEST))
    assert process.wait(240) == 0, run.with_suffix(".log").read_text()
    return run


_FOUR = ("--trials", "4", "--max-concurrent", "1", "--set", "training.epochs=3")


class TestResults:
    def test_the_winner_is_the_best_on_the_development_pairs(self, undisturbed) -> None:
        logs = trials_of(undisturbed)
        best = max(logs.values(), key=lambda log: max(e["roc_auc"] for e in log.evaluations))
        figures = max(best.evaluations, key=lambda each: each["roc_auc"])
        encoder = SentenceEncoder.load(undisturbed / "best")
        assert encoder.metrics["roc_auc"] == figures["roc_auc"]
        assert encoder.metrics["epoch"] == figures["epoch"]
        base = load_recipe(str(undisturbed / "recipe.yaml"))
        recipe = load_recipe(str(undisturbed / "best_recipe.yaml"))
        # ROC AUC does not depend on the threshold, so nothing chose the one that was searched.
        assert recipe == with_settings(base, {**best.settings, "evaluation.threshold": "fit"})
        assert encoder.recipe == recipe
        assert encoder.threshold == encoder.metrics["threshold"] == figures["best_threshold"]
        assert encoder.metrics["accuracy"] == figures["best_accuracy"]

    def test_the_table_has_a_row_for_each_trial(self, undisturbed) -> None:
        logs = trials_of(undisturbed)
        with (undisturbed / "trials.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [int(row["trial"]) for row in rows] == [0, 1, 2, 3]
        for row in rows:
            log = logs[int(row["trial"])]
            assert float(row["roc_auc"]) == max(each["roc_auc"] for each in log.evaluations)
            assert json.loads(row["encoder.lstm_units"]) == log.settings["encoder.lstm_units"]
            assert int(row["epochs"]) == len(log.evaluations)
        assert sorted(row["rank"] for row in rows) == ["1", "2", "3", "4"]

    def test_the_scheduler_stopped_what_was_worse(self, undisturbed) -> None:
        logs = trials_of(undisturbed)
        assert {log.status for log in logs.values()} == {"finished", "stopped"}
        for log in logs.values():
            assert (len(log.evaluations) == 3) == (log.status == "finished")

    def test_every_trial_tells_its_own_best_threshold(self, undisturbed) -> None:
        for log in trials_of(undisturbed).values():
            for each in log.evaluations:
                assert each["threshold"] == log.settings["evaluation.threshold"]
                assert each["best_accuracy"] >= each["accuracy"]
        printed = undisturbed.with_suffix(".log").read_text()
        assert " was searched, " in printed and " is this trial's best" in printed
        assert "roc_auc does not depend on it" in printed

    def test_the_test_pairs_are_judged_once_with_the_chosen_model(self, undisturbed) -> None:
        test = json.loads((undisturbed / "test.json").read_text())
        encoder = SentenceEncoder.load(undisturbed / "best")
        assert test["pairs"] == 1500 and test["threshold"] == encoder.threshold
        assert undisturbed.with_suffix(".log").read_text().count("test pairs, judged once") == 1

    def test_the_report_and_its_pictures_are_there(self, undisturbed) -> None:
        page = (undisturbed / "sweep.html").read_text(encoding="utf-8")
        assert page.count("data:image/png") == 3  # too few trials for importances
        assert "judged once, at the end" in page and "<script" not in page
        names = {path.name for path in (undisturbed / "pictures").iterdir()}
        assert names == {"curves.png", "best_so_far.png", "parallel.png"}

    def test_what_is_left_is_what_the_readme_says(self, undisturbed) -> None:
        names = {path.name for path in undisturbed.iterdir()}
        assert names == {
            *("sweep.json", "recipe.yaml", "events.jsonl", "trials", "trials.csv", "test.json"),
            *("best_recipe.yaml", "best", "sweep.html", "pictures"),
        }

    def test_its_log_has_plain_lines_and_no_chatter(self, undisturbed) -> None:
        kinds = ("658 groups, ", "4 trials of at most 3 epochs", "1 node, ", "training on CPU")
        kinds += ("trial ", "best: trial ", "threshold: ", "test pairs, ", "recipe: ")
        kinds += ("report: ", "model: ", "71 of 750 different ")
        lines = undisturbed.with_suffix(".log").read_text().splitlines()
        assert [line for line in lines if not line.startswith(kinds)] == []


def test_a_killed_driver_leaves_a_sweep_that_resumes_to_the_same_trials(
    data, undisturbed, tmp_path
) -> None:
    """SIGKILL when the second trial has had an epoch; one trial at a time, so that all is equal."""
    run = tmp_path / "sweep"
    process = start(data, run, "default", *_FOUR)
    end = time.monotonic() + 120
    while not (run.exists() and len(getattr(trials_of(run).get(1), "evaluations", ())) >= 1):
        assert process.poll() is None and time.monotonic() < end, run.with_suffix(
            ".log"
        ).read_text()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = trials_of(run)
    assert before[0].status != "running"
    touched = (run / "trials" / "0000" / "metrics.jsonl").stat().st_mtime_ns
    process = start(data, run, "default", *_FOUR, "--resume")
    assert process.wait(240) == 0, run.with_suffix(".log").read_text()

    assert (run / "trials" / "0000" / "metrics.jsonl").stat().st_mtime_ns == touched
    logs, whole = trials_of(run), trials_of(undisturbed)
    assert list(logs) == list(whole)
    for number, log in whole.items():
        assert logs[number].settings == log.settings
        assert logs[number].status == log.status
        assert [_figures(each) for each in logs[number].evaluations] == [
            _figures(each) for each in log.evaluations
        ]
        name = f"trials/{log.name}"
        assert weights(run / name) == weights(undisturbed / name)
    assert (run / "trials.csv").read_text() == (undisturbed / "trials.csv").read_text()
    starts = [
        line
        for line in (run / "trials" / "0001" / "metrics.jsonl").read_text().splitlines()
        if '"event": "start"' in line
    ]
    assert len(starts) <= 2 and json.loads(starts[-1])["step"] >= (164 if len(starts) == 2 else 0)


def _figures(evaluation: dict) -> dict:
    """What does not depend on the clock."""
    clocks = ("at", "order", "event", "groups_per_second")
    clocks += ("train_seconds", "input_seconds", "evaluation_seconds")
    return {k: v for k, v in evaluation.items() if k not in (*clocks, "is_best")}


def test_a_sweep_with_other_settings_or_none_is_not_resumed(data, undisturbed, tmp_path) -> None:
    answer = subprocess.run(
        command(data, undisturbed, "default", *_FOUR, "--resume", "--seed", "7"),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 2 and "seed: was 1, is 7" in answer.stderr
    answer = subprocess.run(
        command(data, tmp_path / "none", "default", "--resume"), capture_output=True, text=True
    )
    assert answer.returncode == 2 and "holds no sweep to resume" in answer.stderr
    answer = subprocess.run(
        command(data, undisturbed, "default", *_FOUR), capture_output=True, text=True
    )
    assert answer.returncode == 2 and "exists already" in answer.stderr
