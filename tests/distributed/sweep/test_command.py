"""Sweeps on real Ray clusters: what they find, survive and leave behind.

Each trial is a process that imports TensorFlow, so most of these take 20 to 60 seconds.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import yaml
from faults import SAMPLE, SETTINGS, weights
from ray.util.state import list_actors, list_placement_groups

from distributed.sweep.command import tune
from distributed.sweep.folder import SweepFolder
from distributed.sweep.sweep import Sweep, trial_execution
from distributed.sweep.trial_log import TrialLog, read_trials
from siamese import SentenceEncoder
from siamese.config.loading import load_recipe, with_settings
from siamese.config.search_space import load_space
from siamese.training.execution import Execution

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
DEV, TEST = SAMPLE / "df_dev.txt", SAMPLE / "df_test.txt"


def command(data: Path, run: Path, space: Path | str, *options: str) -> list[str]:
    """`siamese tune` of small trials."""
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return [
        *(sys.executable, "-m", "distributed", "tune", "--data", str(data), "--dev", str(DEV)),
        *("--run", str(run), "--space", str(space), "--recipe", "fast", *settings, *options),
    ]


def start(
    data: Path, run: Path, space: Path | str, *options: str, address: str | None = None
) -> subprocess.Popen:
    """Start it in a process group of its own, its output beside the run."""
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    if address:
        environment["RAY_ADDRESS"] = address
    with run.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            command(data, run, space, *options),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )


def trials_of(run: Path) -> dict[int, TrialLog]:
    return read_trials(SweepFolder(str(run)).events())


def space_file(folder: Path, **settings: dict) -> Path:
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


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


def test_a_bad_space_is_told_before_any_trial(data, tmp_path) -> None:
    space = space_file(tmp_path, loss={"scal": {"uniform": [1, 2]}})
    answer = subprocess.run(command(data, tmp_path / "run", space), capture_output=True, text=True)
    assert answer.returncode == 2
    assert "loss.scal: unknown key; did you mean loss.scale?" in answer.stderr
    assert "Traceback" not in answer.stderr and not (tmp_path / "run").exists()


def test_what_some_trial_could_not_run_is_told_before_any_trial(data, tmp_path) -> None:
    space = space_file(tmp_path, sampling={"batch_groups": {"choice": [64, 4096]}})
    answer = subprocess.run(command(data, tmp_path / "run", space), capture_output=True, text=True)
    assert answer.returncode == 2 and "sampling.batch_groups=4,096" in answer.stderr
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def cluster():
    """A cluster of four CPUs, joined by this process."""
    context = ray.init(num_cpus=4, include_dashboard=True, log_to_driver=False)
    yield context.address_info["address"]
    ray.shutdown()


def sweep_here(data: Path, run: Path, space: Path, **options) -> None:
    """A sweep in this process, of small trials."""
    settings = options.pop("settings", ())
    recipe = load_recipe("fast", [*SETTINGS, *settings])
    workers = options.pop("workers", 1)
    tune(
        str(data),
        str(DEV),
        str(run),
        Sweep(recipe, load_space(str(space), recipe), **options),
        execution=trial_execution(Execution(workers=(workers, workers))),
    )


def test_a_clone_goes_on_from_its_donors_weights(cluster, data, tmp_path) -> None:
    """Only the threshold may change, so that a clone ends with the weights of its donor.

    The other setting makes one trial learn, and the other hardly: its rate rises so slowly. They
    train for long enough to meet: a donor that has ended gives nothing.
    """
    space = space_file(
        tmp_path,
        optimizer={"warmup_steps": {"choice": [0, 600]}},
        evaluation={"threshold": {"uniform": [0.1, 0.9]}},
    )
    run = tmp_path / "sweep"
    seed = next(
        seed
        for seed in range(100)
        if [_warmup(space, seed, number) for number in (0, 1)] == [0, 600]
    )
    sweep_here(
        data, run, space, trials=2, scheduler="pbt", seed=seed, settings=["training.epochs=16"]
    )
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    settings = [e["settings"] for e in events if e["event"] == "start" and e["trial"] == 1]
    assert settings[0]["optimizer.warmup_steps"] == 600
    assert settings[-1]["optimizer.warmup_steps"] == 0
    donor, clone = (trials_of(run)[number] for number in (0, 1))
    assert [e["loss"] for e in donor.evaluations][-1] == clone.evaluations[-1]["loss"]
    assert weights(run / "trials" / "0000") == weights(run / "trials" / "0001")


def _warmup(space: Path, seed: int, number: int) -> int:
    from siamese.config.ranges import RandomDraw

    drawn = load_space(str(space), load_recipe("fast")).draw(RandomDraw(seed, number))
    return drawn["optimizer.warmup_steps"]


def test_nested_trials_leave_nothing_behind_even_when_stopped(cluster, data, tmp_path) -> None:
    """The second trial learns nothing, and is stopped after its first epoch."""
    space = space_file(tmp_path, optimizer={"learning_rate": {"choice": [0.003, 0.00001]}})
    run = tmp_path / "sweep"
    sweep_here(
        data,
        run,
        space,
        search="grid",
        workers=2,
        max_concurrent=1,
        settings=["training.epochs=3", "sampling.batch_groups=32"],
    )
    logs = trials_of(run)
    assert [log.status for log in logs.values()] == ["finished", "stopped"]
    assert len(logs[1].evaluations) < 3
    sizes = [
        json.loads(line)["workers"]
        for line in (run / "trials" / "0000" / "metrics.jsonl").read_text().splitlines()
        if '"event": "start"' in line
    ]
    assert sizes == [2]
    end = time.monotonic() + 60
    while (left := _left()) and time.monotonic() < end:
        time.sleep(0.5)
    assert left == []


def _left() -> list[str]:
    """Actors and placement groups that are alive, and CPUs that something holds."""
    left = [
        f"{actor.class_name} {actor.state}"
        for actor in list_actors(limit=1000)
        # Ray's own, one for each cluster that has ever trained; it holds nothing.
        if actor.state != "DEAD" and actor.class_name != "_AutoscalingCoordinatorActor"
    ]
    left += [
        f"placement group {group.state}"
        for group in list_placement_groups()
        if group.state != "REMOVED"
    ]
    held = ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0)
    return left + ([f"{held} CPUs"] if held else [])


def test_a_trial_that_fails_is_set_aside(cluster, data, tmp_path, capsys) -> None:
    """A loss that overflows."""
    space = space_file(tmp_path, loss={"scale": {"choice": [20, 1.0e38]}})
    run = tmp_path / "sweep"
    sweep_here(data, run, space, search="grid", settings=["training.epochs=1"])
    logs = trials_of(run)
    assert [log.status for log in logs.values()] == ["finished", "failed"]
    assert "the loss is" in logs[1].error and "learning_rate" in logs[1].error
    assert "trial 1 failed and is set aside: the loss is" in capsys.readouterr().out
    rows = (run / "trials.csv").read_text().splitlines()
    assert "failed" in rows[2] and rows[2].startswith("1,,")


def test_a_metric_of_retrieval_ranks_the_trials(cluster, data, tmp_path) -> None:
    space = space_file(tmp_path, optimizer={"learning_rate": {"choice": [0.00001, 0.003]}})
    run = tmp_path / "sweep"
    settings = ["training.epochs=1", "evaluation.metric=mrr"]
    sweep_here(data, run, space, search="grid", settings=settings)
    logs = trials_of(run)
    found = [log.evaluations[0]["mrr"] for log in logs.values()]
    assert 0 < found[0] < found[1] <= 1
    assert SentenceEncoder.load(run / "best").metrics["mrr"] == found[1]
    with (run / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["rank"] for row in rows] == ["2", "1"]
    assert [float(row["mrr"]) for row in rows] == found


def test_when_all_fail_the_first_error_is_told_with_exit_code_1(cluster, data, tmp_path) -> None:
    space = space_file(tmp_path, loss={"scale": {"choice": [1.0e38, 2.0e38]}})
    process = start(data, tmp_path / "run", space, "--search", "grid", address=cluster)
    assert process.wait(120) == 1
    printed = (tmp_path / "run.log").read_text()
    assert "error: all 2 trials failed, the first one with: the loss is" in printed
    assert "Traceback" not in printed


def test_a_trial_whose_process_dies_goes_on_from_its_checkpoint(cluster, data, tmp_path) -> None:
    space = space_file(tmp_path, loss={"scale": {"choice": [20]}})
    run = tmp_path / "run"
    process = start(
        data, run, space, "--search", "grid", "--set", "training.epochs=4", address=cluster
    )
    metrics = run / "trials" / "0000" / "metrics.jsonl"
    end = time.monotonic() + 90
    while not list(metrics.parent.glob("checkpoints/step-*/progress.json")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    os.kill(json.loads(metrics.read_text().splitlines()[0])["pid"], signal.SIGKILL)
    assert process.wait(150) == 0, run.with_suffix(".log").read_text()
    [log] = trials_of(run).values()
    assert log.status == "finished" and log.evaluations[-1]["epoch"] == 4
    starts = [
        json.loads(line)["step"]
        for line in metrics.read_text().splitlines()
        if '"event": "start"' in line
    ]
    assert len(starts) == 2 and starts[1] >= 164
