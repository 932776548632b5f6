"""TensorBoard and MLflow: what a run that was killed and resumed leaves in them."""

import json
import os
import subprocess
import sys
from collections import Counter

import killed_run
import pytest
from tiny_run import TINY, run_in

from siamese import UserError
from siamese.config.loading import load_recipe
from siamese.config.parts import part_names
from siamese.config.recipe import flat_settings
from siamese.encoder.keras_tf import tf
from siamese.training.execution import Execution, check_execution
from siamese.training.run_folder import RunFolder
from siamese.training.trackers import mlflow as mlflow_tracker
from siamese.training.trackers import tensorboard

BOTH = Execution(checkpoint_steps=None, trackers=("tensorboard", "mlflow"))
SPEEDS = ("groups_per_second", "train_seconds", "input_seconds", "evaluation_seconds")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """MLflow's variables, for a store of this module's own."""
    place = tmp_path_factory.mktemp("mlflow")
    variables = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables


@pytest.fixture(scope="module")
def resumed(store, tmp_path_factory) -> tuple[RunFolder, Counter]:
    """A run that was killed in its second epoch and resumed; and TensorBoard's events before."""
    folder = tmp_path_factory.mktemp("run") / "a"
    killed = subprocess.run(
        [sys.executable, killed_run.__file__, str(folder), "tensorboard", "mlflow"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9, killed.stderr
    before = Counter(at for at, _ in scalars(folder))
    return run_in(folder, fresh=False, execution=BOTH), before


def scalars(folder) -> list[tuple[tuple[str, int], float]]:
    """What TensorBoard would show: `((tag, step), value)`."""
    found = []
    for path in sorted((folder / "tensorboard").glob("*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.append(((value.tag, event.step), float(tf.make_ndarray(value.tensor))))
    return found


def logged(run: RunFolder) -> dict[tuple[str, int], float]:
    """The figures of metrics.jsonl by name and step."""
    return {
        (f"{line['event']}/{name}", line["step"]): value
        for line in run.read_log()
        if line["event"] != "start"
        for name, value in line.items()
        if name not in ("event", "epoch", "step")
    }


def tracked_runs(store) -> list:
    from mlflow import MlflowClient

    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("siamese-ray")
    return client.search_runs([experiment.experiment_id])


def history(store, run) -> list[tuple[tuple[str, int], float]]:
    from mlflow import MlflowClient

    client = MlflowClient(store["MLFLOW_TRACKING_URI"])
    return [
        ((name, point.step), point.value)
        for name in run.data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    ]


def test_tensorboard_has_every_step_of_a_resumed_run_once(resumed) -> None:
    run, before = resumed
    assert max(step for _, step in before) == killed_run.STEPS  # so that some were to be dropped
    found = scalars(run.path)
    assert max(Counter(at for at, _ in found).values()) == 1
    assert dict(found) == {at: pytest.approx(value) for at, value in logged(run).items()}


def test_tensorboard_drops_what_a_kill_cut_short(tmp_path) -> None:
    run = RunFolder(tmp_path)
    recipe = load_recipe("fast")
    first = tensorboard.build()
    first.start(run, recipe, 0)
    for step in (1, 2):
        first.log("train", {"loss": float(step)}, step)
    first.close(finished=False)
    [path] = run.tensorboard.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    again = tensorboard.build()
    again.start(run, recipe, 2)
    again.log("train", {"loss": 3.0}, 3)
    again.close(finished=True)
    assert scalars(tmp_path) == [(("train/loss", 1), 1.0), (("train/loss", 3), 3.0)]


def test_mlflow_has_one_run_with_every_step_once(resumed, store) -> None:
    run, _ = resumed
    [tracked] = tracked_runs(store)
    found = history(store, tracked)
    assert max(Counter(at for at, _ in found).values()) == 1
    expected = logged(run)
    assert dict(found).keys() == expected.keys()
    same = {at: value for at, value in found if not at[0].endswith(SPEEDS)}
    assert same == {at: v for at, v in expected.items() if not at[0].endswith(SPEEDS)}
    assert tracked.info.status == "FINISHED"


def test_mlflow_has_the_recipe_and_the_folder(resumed, store) -> None:
    run, _ = resumed
    [tracked] = tracked_runs(store)
    recipe = load_recipe("fast", list(TINY))
    assert tracked.data.params == {k: str(v) for k, v in flat_settings(recipe).items()}
    assert tracked.data.params["loss.hard_negatives"] == "1"
    assert tracked.data.tags[mlflow_tracker.FOLDER_TAG] == run.location
    assert (
        tracked.data.tags[mlflow_tracker.KEY_TAG] == json.loads(run.mlflow_file.read_text())["key"]
    )
    assert tracked.info.run_name == run.path.name


class Unreachable:
    """A client of MLflow that answers now and then."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.status = ""
        self.is_there = True

    def log_batch(self, run_id, metrics):
        if not self.is_there:
            raise ConnectionError("no route to host")
        self.sent += [(metric.key, metric.step) for metric in metrics]

    def set_terminated(self, run_id, status):
        self.status = status


def test_figures_wait_for_an_mlflow_that_does_not_answer(store, capsys) -> None:
    tracker = mlflow_tracker.build()
    tracker._client = client = Unreachable()
    tracker.log("train", {"loss": 1.0}, 1)
    client.is_there = False
    for step in (2, 3):
        tracker.log("train", {"loss": 1.0}, step)
    assert client.sent == [("train/loss", 1)]
    assert capsys.readouterr().out.count("no route to host") == 1
    client.is_there = True
    tracker.log("train", {"loss": 1.0}, 4)
    tracker.close(finished=False)
    assert client.sent == [("train/loss", step) for step in (1, 2, 3, 4)]
    assert client.status == "FAILED"


def test_figures_that_could_not_be_logged_are_counted_at_the_end(store, capsys) -> None:
    tracker = mlflow_tracker.build()
    tracker._client = client = Unreachable()
    client.is_there = False
    tracker.log("train", {"loss": 1.0, "learning_rate": 0.1}, 1)
    tracker.close(finished=True)
    assert "2 figures could not be logged" in capsys.readouterr().out


def test_an_mlflow_that_cannot_be_used_is_named_before_training(
    store, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosuchscheme://host")
    with pytest.raises(UserError, match="MLflow at nosuchscheme://host: "):
        run_in(tmp_path / "b", execution=BOTH)


def test_a_missing_package_is_named_before_any_work(monkeypatch) -> None:
    monkeypatch.setattr(mlflow_tracker, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'siamese-ray\[mlflow\]'"):
        check_execution(BOTH)


def test_without_an_address_mlflow_writes_where_the_run_is_started(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert mlflow_tracker.build()._uri == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_an_unknown_tracker_is_named_with_the_nearest() -> None:
    assert part_names("tracker") == ["mlflow", "tensorboard"]
    with pytest.raises(UserError, match=r"no tracker 'tensorbord'; did you mean tensorboard\?"):
        check_execution(Execution(trackers=("tensorbord",)))


def test_without_trackers_there_is_only_the_log(tmp_path) -> None:
    run = run_in(tmp_path / "b", "training.epochs=1", execution=Execution(trackers=()))
    assert not run.tensorboard.exists() and not run.mlflow_file.exists()
    assert len(run.read_log()) == 5
