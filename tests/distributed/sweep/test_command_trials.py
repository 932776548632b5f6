"""Trials on a real Ray cluster: cloned, stopped, failed and killed ones.

Each trial is a process that imports TensorFlow, so most of these take 20 to 60 seconds.
"""

import csv
import json
import os
import signal
import time
from pathlib import Path

import pytest
import ray
from faults import SETTINGS, weights
from ray.util.state import list_actors, list_placement_groups
from small_sweep import DEV, space_file, start, trials_of

from distributed.sweep.command import tune
from distributed.sweep.sweep import Sweep, trial_execution
from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.config.search_space import load_space
from siamese.training.execution import Execution

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


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
