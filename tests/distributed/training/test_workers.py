"""N workers compute what one does: the loss and every gradient, over the negatives of all.

The batch has hard negatives (another number for each worker), texts of 1 to 40 characters, groups
that share texts, and dropout.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from paths import ROOT, TESTS


def run_workers(count: int, folder: Path) -> list[dict[str, np.ndarray]]:
    """What each of so many workers, in processes of their own, wrote."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    files = [folder / f"{rank}.npz" for rank in range(count)]
    processes = []
    for rank, file in enumerate(files):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps(task),
            "PYTHONPATH": f"{ROOT}:{TESTS / 'helpers'}",
        }
        command = [sys.executable, str(TESTS / "helpers" / "worker_step.py"), str(file)]
        processes.append(subprocess.Popen(command, env=environment, cwd=ROOT))
    try:
        assert [process.wait(120) for process in processes] == [0] * count
    finally:
        for process in processes:
            process.kill()
    return [dict(np.load(file, allow_pickle=False)) for file in files]


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, np.ndarray]:
    return run_workers(1, tmp_path_factory.mktemp("one"))[0]


@pytest.mark.parametrize("count", [2, 4])
def test_workers_have_the_loss_and_gradients_of_one_with_every_kind_of_step(
    alone, count, tmp_path
) -> None:
    """Takes 20 s and more: each of the processes imports TensorFlow on a shared machine."""
    workers = run_workers(count, tmp_path)
    for name, expected in alone.items():
        if name.endswith("loss"):
            assert sum(float(w[name]) for w in workers) == pytest.approx(float(expected), rel=1e-5)
            continue
        size = max(1.0, np.abs(expected).max())
        assert np.abs(expected).max() > 1e-4
        for worker in workers:
            np.testing.assert_allclose(worker[name], expected, atol=3e-5 * size)
            np.testing.assert_array_equal(worker[name], workers[0][name])  # all stay the same


def test_the_cached_step_of_one_worker_is_its_plain_one(alone) -> None:
    plain = {k.removeprefix("plain "): v for k, v in alone.items() if k.startswith("plain")}
    for name, value in plain.items():
        np.testing.assert_allclose(alone[f"cached {name}"], value, atol=3e-5, rtol=1e-4)
