"""What kills a worker or the driver costs time, and changes nothing of what comes out.

These tests start real clusters and wait for lost processes to be noticed, so they take 15 to 40
seconds each.
"""

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import ray
from faults import SAMPLE, SETTINGS, Running, chief, weights, workers
from ray.cluster_utils import Cluster

import distributed
from distributed.keras.tf_config import (
    TfConfig,
    _set_tf_config,
    _TfConfigBackend,
    free_address,
)
from siamese.config.loading import load_recipe

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster():
    """A head with 2 CPUs."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def undisturbed(data, cluster, tmp_path_factory) -> Path:
    """A run of two workers that nothing happens to."""
    run = Running(
        data, tmp_path_factory.mktemp("runs") / "whole", "--workers", "2", address=cluster.address
    )
    assert run.wait() == 0, run.output
    return run.run


def test_a_killed_worker_is_replaced_and_the_weights_are_the_same(
    data, cluster, undisturbed, tmp_path
) -> None:
    run = Running(data, tmp_path / "run", "--workers", "2", address=cluster.address)
    run.wait_for_step(70)
    os.kill(workers(run)[1], signal.SIGKILL)
    assert run.wait() == 0, run.output
    assert "(attempt 2)" in run.output
    assert weights(run.run) == weights(undisturbed)


def test_a_hanging_worker_is_ended_and_the_weights_are_the_same(
    data, cluster, undisturbed, tmp_path
) -> None:
    """The stopped one cannot end itself: its peer does, by its watchdog or TensorFlow's checks."""
    run = Running(
        data, tmp_path / "run", "--workers", "2", "--stall-seconds", "15", address=cluster.address
    )
    run.wait_for_step(200)
    stopped = workers(run)[1]
    os.kill(stopped, signal.SIGSTOP)
    assert run.wait() == 0, run.output
    assert "(attempt 2)" in run.output
    assert not Path(f"/proc/{stopped}").exists()
    assert weights(run.run) == weights(undisturbed)


def test_a_killed_driver_leaves_a_run_that_resumes_to_the_same_weights(
    data, cluster, undisturbed, tmp_path
) -> None:
    run = Running(data, tmp_path / "run", "--workers", "2", address=cluster.address)
    run.wait_for_step(110)
    lost = chief(run)
    run.kill()
    end = time.monotonic() + 30
    while Path(f"/proc/{lost}").exists() and time.monotonic() < end:
        time.sleep(0.1)
    run = Running(data, run.run, "--workers", "2", "--resume", address=cluster.address)
    assert run.wait() == 0, run.output
    assert "training on 2 workers from step 1" in run.output  # 100 or 120
    assert weights(run.run) == weights(undisturbed)


class _TakenPortOnce(_TfConfigBackend):
    """Gives the first worker a port that another program has bound; the next time a free one."""

    def on_start(self, worker_group, backend_config) -> None:
        if not backend_config.taken:
            super().on_start(worker_group, backend_config)
            return
        addresses = worker_group.execute(free_address)
        addresses[0] = f"{addresses[0].rpartition(':')[0]}:{backend_config.taken.pop()}"
        for rank in range(len(addresses)):
            worker_group.execute_single(rank, _set_tf_config, addresses, rank)


@dataclass
class _TakenPortConfig(TfConfig):
    taken: list[int]

    @property
    def backend_cls(self):
        return _TakenPortOnce


def test_a_port_that_is_taken_before_it_is_bound_costs_one_attempt(
    data, cluster, undisturbed, tmp_path, monkeypatch, capsys
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with socket.create_server(("", 0)) as other_program:
        config = partial(_TakenPortConfig, [other_program.getsockname()[1]])
        monkeypatch.setattr("distributed.keras.tf_config.TfConfig", config)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        try:
            distributed.train(
                str(data),
                str(SAMPLE / "df_dev.txt"),
                load_recipe("fast", SETTINGS),
                tmp_path / "run",
                workers=2,
                checkpoint_steps=20,
            )
        finally:
            ray.shutdown()
    printed = capsys.readouterr().out
    assert printed.count("training on 2 workers from the start") == 1, printed
    assert weights(tmp_path / "run") == weights(undisturbed)


def test_a_users_mistake_ends_the_run_at_once_and_quietly(data, cluster, tmp_path) -> None:
    """A loss that overflows; it would overflow again, so no worker is started again."""
    settings = (*SETTINGS, "loss.scale=1e38")
    run = Running(
        data, tmp_path / "run", "--workers", "2", address=cluster.address, settings=settings
    )
    assert run.wait() == 2
    besides = "71 of 750 different development texts "
    lines = [line for line in run.output.splitlines() if not line.startswith(besides)]
    assert len(lines) == 5, run.output
    assert lines[0].startswith("658 groups, 4,405 texts; 600 development pairs")
    assert lines[1].startswith("1 node, 0 CPUs left for data")
    assert lines[2] == "training on CPU: no GPU in this cluster"
    assert lines[3] == "training on 2 workers from the start"
    assert lines[4].startswith("error: the loss is ") and "learning_rate" in lines[4]


def test_a_run_prints_its_progress_and_nothing_else(undisturbed) -> None:
    lines = undisturbed.with_suffix(".log").read_text().splitlines()
    kinds = (
        "658 groups, 4,405 texts; ",
        "71 of 750 different development texts ",
        "1 node, ",
        "training on CPU: ",
        "training on 2 workers from the start",
        "epoch ",
        "model: ",
    )
    assert all(line.startswith(kinds) for line in lines), lines
    assert sum(line.startswith("epoch  ") for line in lines) == 2
    assert lines[-1] == f"model: {undisturbed}/best"
    left = {path.name for path in undisturbed.iterdir()}
    assert "ray" not in left and {"best", "checkpoints", "metrics.jsonl"} <= left


def test_workers_that_keep_failing_end_the_run_with_exit_code_1(data, cluster, tmp_path) -> None:
    run = Running(
        data, tmp_path / "run", "--workers", "1", "--max-failures", "0", address=cluster.address
    )
    run.wait_for_step(40)
    os.kill(chief(run), signal.SIGKILL)
    assert run.wait() == 1
    assert "error: the workers failed more than 0 times (--max-failures)" in run.output
    assert "Traceback" not in run.output
