"""The laws of trackers: ours pass, a user's passes, a broken one is caught."""

import json

import pytest
from broken_laws import broken

from siamese.config.parts import load_part, part_names
from siamese.encoder.keras_tf import tf
from siamese.testing import check_tracker, laws, trackers


def read_tensorboard(run) -> dict:
    found = {}
    for path in sorted(run.tensorboard.glob("*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


def read_mlflow(run) -> dict:
    from mlflow import MlflowClient

    client = MlflowClient()
    key = json.loads(run.mlflow_file.read_text())["key"]
    [tracked] = client.search_runs(
        [client.get_experiment_by_name("siamese-ray").experiment_id],
        f"tags.`siamese_ray.key` = '{key}'",
    )
    points = [
        (name, point)
        for name in tracked.data.metrics
        for point in client.get_metric_history(tracked.info.run_id, name)
    ]
    found = {(name, point.step): point.value for name, point in points}
    assert len(found) == len(points)
    return found


READ = {"tensorboard": read_tensorboard, "mlflow": read_mlflow}


@pytest.mark.parametrize("name", part_names("tracker"))
def test_our_trackers_keep_their_laws(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    check_tracker(load_part("tracker", name), READ[name])


class Lines:
    """A user's tracker: a file of lines."""

    def start(self, run, recipe, step) -> None:
        self.path = run.path / "lines.json"
        self.lines = json.loads(self.path.read_text()) if self.path.exists() else []
        self.lines = [line for line in self.lines if line[1] <= step]

    def log(self, event, values, step) -> None:
        self.lines += [(f"{event}/{name}", step, value) for name, value in values.items()]
        self.path.write_text(json.dumps(self.lines))

    def close(self, finished) -> None:
        pass


class Forgetful(Lines):
    """Begins anew."""

    def start(self, run, recipe, step) -> None:
        super().start(run, recipe, step)
        self.lines = []


def read_lines(run) -> dict:
    lines = json.loads((run.path / "lines.json").read_text())
    return {(name, step): value for name, step, value in lines}


def test_a_tracker_of_a_users_own_keeps_the_laws_and_a_broken_one_is_caught() -> None:
    check_tracker(Lines, read_lines)
    assert broken(lambda: trackers.resumed_equals_unbroken(Forgetful, read_lines)) == {laws.RESUMED}
    trackers.saved_equals_loaded(Forgetful, read_lines)
