"""An elastic run grows at a checkpoint, when there has been room for a while, and loses no step."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster
from tiny_run import GROUPS, PAIRS

import distributed
import siamese
from distributed.keras import growth
from distributed.keras.driver_link import Monitor
from distributed.keras.growth import Growth

TEXTS = {group.id: list(group.texts) for group in GROUPS}
DEV = [(pair.text1, pair.text2, pair.label) for pair in PAIRS]
TINY = {
    "vectors": "none",
    "embedding_dim": 8,
    "lstm_units": [6],
    "batch_groups": 6,
    "epochs": 10,
    "patience": None,
    "hard_negatives": 0,
    "ranking": 0,
}


class World:
    """A cluster with some room, a monitor that answers at once, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.free = 0
        self.monitor = Monitor.__ray_actor_class__()

    def handle(self) -> SimpleNamespace:
        return SimpleNamespace(offer=SimpleNamespace(remote=self.monitor.offer))

    def pass_by(self, seconds: int, growth: Growth, running: int) -> list[int]:
        """What it decides, asked once a second."""
        decided = []
        for _ in range(seconds):
            self.now += 1
            decided.append(growth.larger(running))
        return decided


@pytest.fixture
def world(monkeypatch) -> World:
    world = World()
    monkeypatch.setattr(growth, "alive_nodes", list)
    monkeypatch.setattr(growth, "fit_free", lambda nodes, need: world.free)
    monkeypatch.setattr(growth.time, "monotonic", lambda: world.now)
    monkeypatch.setattr(growth.ray, "get", lambda answer, timeout: answer)
    return world


def test_a_run_takes_only_numbers_of_workers_that_it_may_have() -> None:
    fitting = Growth(None, {"CPU": 1}, [2, 4, 8]).fitting
    assert [fitting(possible) for possible in (0, 1, 2, 3, 7, 8, 100)] == [0, 0, 2, 2, 4, 8, 8]


def test_room_is_offered_when_it_has_been_there_a_minute_and_taken_at_a_checkpoint(world) -> None:
    grows = Growth(world.handle(), {"CPU": 1}, [2, 4, 8])
    world.free = 5
    assert world.pass_by(60, grows, 2) == [0] * 60
    assert world.monitor.wait_for_more() == 0  # a checkpoint: the workers go on
    assert world.pass_by(30, grows, 2) == [0] * 30  # nobody waits
    assert world.monitor.wait_for_more() == 4  # the next one: 7 would fit
    assert world.pass_by(1, grows, 2) == [4]


@pytest.mark.parametrize("free", [0, 1])
def test_room_that_is_too_small_for_a_number_that_fits_is_not_offered(world, free) -> None:
    grows = Growth(world.handle(), {"CPU": 1}, [2, 4, 8])
    world.free = free
    world.pass_by(200, grows, 2)
    assert world.monitor.wait_for_more() == 0


def test_room_that_comes_and_goes_is_not_offered(world) -> None:
    grows = Growth(world.handle(), {"CPU": 1}, [1, 2])
    for _ in range(10):
        for world.free, seconds in ((1, 50), (0, 5)):
            world.pass_by(seconds, grows, 1)
            assert world.monitor.wait_for_more() == 0


def test_workers_that_wait_go_on_when_the_room_is_gone(world) -> None:
    grows = Growth(world.handle(), {"CPU": 1}, [1, 2])
    world.free = 1
    world.pass_by(70, grows, 1)
    assert world.monitor.wait_for_more() == 2
    world.free = 0
    assert world.pass_by(1, grows, 1) == [0]
    assert world.monitor.wait_for_more() == 0


def test_each_growth_needs_room_for_twice_as_long(world) -> None:
    """A node that flaps."""
    grows = Growth(world.handle(), {"CPU": 1}, [1, 2])
    waited = []
    for _ in range(4):
        world.free = 1
        start = world.now
        while not (world.monitor.wait_for_more() and grows.larger(1)):
            world.pass_by(1, grows, 1)
        waited.append(world.now - start)
        world.monitor.begin()
        world.free = 0
        world.pass_by(1, grows, 1)
    assert waited == pytest.approx([61, 121, 241, 481], abs=2)


def test_growing_is_no_attempt(world) -> None:
    monitor = world.monitor
    assert monitor.begin() == 1
    monitor.offer(2)
    monitor.wait_for_more()
    assert monitor.offer(2)
    assert [monitor.begin(), monitor.begin()] == [1, 2]


class Recorder:
    """A tracker: notes every step that is logged; one process, the first, takes its time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start(self, run, recipe, step) -> None:
        self._is_first = step == 0

    def log(self, event, values, step) -> None:
        if event == "train":
            with self._file.open("a") as stream:
                stream.write(f"{os.getpid()} {step}\n")
            if self._is_first and step >= 8:
                time.sleep(0.5)

    def close(self, finished) -> None:
        pass


def lines_of(file: Path) -> list[list[int]]:
    return [list(map(int, line.split())) for line in file.read_text().splitlines()]


@pytest.fixture
def node_that_comes() -> Iterator[Callable[[Path], str]]:
    """A cluster with room for one worker; a second node joins when the file has eight lines."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes: list[subprocess.Popen] = []

    def join(file: Path) -> None:
        while not file.exists() or len(lines_of(file)) < 8:
            time.sleep(0.1)
        # `cluster.add_node` works in the main thread only, which waits for the run.
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        command += [f"--address={cluster.address}", "--include-log-monitor=false"]
        nodes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    def start(file: Path) -> str:
        threading.Thread(target=join, args=(file,), daemon=True).start()
        return cluster.address

    yield start
    ray.shutdown()
    for node in nodes:
        node.terminate()
        node.wait(20)
    cluster.shutdown()


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore")
def test_a_run_grows_at_a_checkpoint_takes_no_step_twice_and_learns_the_same(
    node_that_comes, tmp_path, monkeypatch, capsys
) -> None:
    """Takes half a minute: the workers start twice."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(growth, "Growth", partial(Growth, steady=0.5))
    steps, run = tmp_path / "steps", tmp_path / "run"
    ray.init(node_that_comes(steps), log_to_driver=False, logging_level="ERROR")
    encoder = distributed.train(
        TEXTS,
        DEV,
        "fast",
        run,
        workers="1:2",
        max_failures=0,  # growing is none
        checkpoint_steps=2,
        trackers=[Recorder(steps)],
        **TINY,
    )
    printed = capsys.readouterr().out
    taken = lines_of(steps)
    assert [step for _, step in taken] == list(range(1, len(taken) + 1))
    grown_at = sum(pid == taken[0][0] for pid, _ in taken)
    assert re.findall(r"^(?:training on \d|growing) .*", printed, re.MULTILINE) == [
        "training on 1 worker from the start",
        f"growing from 1 worker to 2 at step {grown_at}",
        f"training on 2 workers from step {grown_at}",
    ]
    alone = siamese.train(run / "data", DEV, run / "recipe.yaml", tmp_path / "alone")
    texts = [pair.text1 for pair in PAIRS]
    np.testing.assert_allclose(encoder.encode(texts), alone.encode(texts), atol=1e-4)
    losses, alone_losses = (
        [
            line["loss"]
            for line in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
            if "loss" in line
        ]
        for folder in (run, tmp_path / "alone")
    )
    np.testing.assert_allclose(losses, alone_losses, rtol=1e-4)
