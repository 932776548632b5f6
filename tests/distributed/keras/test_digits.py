"""docs/examples/digits.py: one worker, two, a killed one and a killed driver end with one model.

Takes a minute: a real cluster, on which workers start and import TensorFlow five times.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT
from ray.cluster_utils import Cluster

from distributed.keras import Result

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]
EXAMPLE = ROOT / "docs" / "examples" / "digits.py"
STEPS = 600


@pytest.fixture(scope="module")
def cluster():
    """A head with 2 CPUs."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield cluster
    cluster.shutdown()


class Digits:
    """The example, in a process group of its own."""

    def __init__(self, cluster: Cluster, run: Path, workers: int, existing: str = "refuse") -> None:
        self.run = run
        self._raylet = cluster.head_node.all_processes["raylet"][0].process.pid
        self._log = run.with_suffix(".log")
        options = {"run": run, "workers": workers, "existing": existing, "steps": STEPS}
        command = [sys.executable, str(EXAMPLE)]
        command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
        environment = {**os.environ, "RAY_ADDRESS": cluster.address, "PYTHONPATH": str(ROOT)}
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_until(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + 120
        while not done():
            assert self.process.poll() is None and time.monotonic() < end, self.output
            time.sleep(0.02)

    def has_reported(self, step: int) -> bool:
        file = self.run / "metrics.jsonl"
        return file.exists() and f'"step": {step},' in file.read_text()

    def workers(self) -> list[int]:
        """The processes of the workers, on the cluster's one node."""
        return [
            int(path.name)
            for path in Path("/proc").iterdir()
            if path.name.isdigit() and self._is_worker(path)
        ]

    def _is_worker(self, path: Path) -> bool:
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            return parent == self._raylet and b"RayTrainWorker" in (path / "cmdline").read_bytes()
        except OSError:  # it has just ended
            return False

    def end(self) -> None:
        assert self.process.wait(150) == 0, self.output


def variables(run: Path) -> dict[str, np.ndarray]:
    newest = run / "checkpoints" / f"step-{STEPS:08}"
    with np.load(newest / "variables.npz", allow_pickle=False) as values:
        return {name: values[name] for name in values.files}


@pytest.fixture(scope="module")
def two(cluster, tmp_path_factory) -> Path:
    """The run of two workers that nothing happens to."""
    digits = Digits(cluster, tmp_path_factory.mktemp("runs") / "two", workers=2)
    digits.end()
    return digits.run


def test_two_workers_end_with_the_model_of_one(cluster, two, tmp_path) -> None:
    one = Digits(cluster, tmp_path / "one", workers=1)
    one.end()
    expected = variables(one.run)
    assert Result.of(two).report["accuracy"] > 0.85
    assert sorted(expected) == sorted(variables(two))
    for name, value in variables(two).items():
        np.testing.assert_allclose(value, expected[name], atol=2e-4, err_msg=name)
    np.testing.assert_allclose(
        [line["loss"] for line in Result.of(two).reports],
        [line["loss"] for line in Result.of(one.run).reports],
        atol=2e-5,
    )


def test_a_killed_worker_and_a_killed_driver_change_no_bit(cluster, two, tmp_path) -> None:
    digits = Digits(cluster, tmp_path / "run", workers=2)
    digits.wait_until(lambda: digits.has_reported(100))
    os.kill(digits.workers()[0], signal.SIGKILL)
    digits.wait_until(lambda: "(attempt 2)" in digits.output)
    seen = digits.output.count("loss")
    digits.wait_until(lambda: digits.output.count("loss") > seen)
    os.killpg(digits.process.pid, signal.SIGKILL)
    digits.process.wait()
    end = time.monotonic() + 60
    while digits.workers() and time.monotonic() < end:
        time.sleep(0.1)
    digits = Digits(cluster, digits.run, workers=2, existing="resume")
    digits.end()
    assert "training on 2 workers from step " in digits.output.rpartition("(attempt 2)")[2]
    for name, value in variables(digits.run).items():
        assert value.tobytes() == variables(two)[name].tobytes(), name
    whole, resumed = ((run / "metrics.jsonl").read_text() for run in (two, digits.run))
    assert resumed == whole
    assert [json.loads(line)["step"] for line in whole.splitlines()] == [*range(50, STEPS + 1, 50)]
