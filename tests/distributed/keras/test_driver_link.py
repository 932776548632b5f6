"""What a worker reports reaches the driver, all of it."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, GetTimeoutError

from distributed.keras import driver_link
from distributed.keras.driver_link import POLL_EVERY, Follower, Reporter


def test_all_units_are_reported_when_the_work_ends(monkeypatch) -> None:
    events = []
    report = SimpleNamespace(remote=lambda kind, value=None: events.append((kind, value)))
    now = 100.0
    monkeypatch.setattr(driver_link.time, "monotonic", lambda: now)
    reporter = Reporter(SimpleNamespace(report=report))
    reporter.start("epoch 1/1", 40, "groups")
    reporter.advance(10, "loss 3")  # too soon
    now += POLL_EVERY
    reporter.advance(10, "loss 2")
    reporter.advance(20, "loss 1")  # too soon
    reporter.end()
    assert events == [
        ("start", ("epoch 1/1", 40, "groups")),
        ("advance", (20, "loss 2")),
        ("advance", (20, "loss 1")),
        ("end", None),
    ]


class TestFollower:
    """The thread that shows what the workers report ends with a word, or not at all."""

    @pytest.fixture
    def follow(self, monkeypatch) -> Callable[..., tuple[Follower, list[int]]]:
        """Follow a monitor that gives these answers in turn; returns the signals that were sent."""

        def follow(*answers: Any, patience: float = 60.0) -> tuple[Follower, list[int]]:
            left, signals = list(answers), []
            over = threading.Event()

            def get(*_: Any, **__: Any) -> Any:
                if not left:
                    over.set()
                    return []
                answer = left.pop(0)
                if isinstance(answer, BaseException):
                    raise answer
                return answer

            def kill(_: int, number: int) -> None:
                signals.append(number)
                over.set()

            monkeypatch.setattr(driver_link, "POLL_EVERY", 0.001)
            monkeypatch.setattr(driver_link.ray, "get", get)
            monkeypatch.setattr(driver_link.os, "kill", kill)
            take = SimpleNamespace(remote=lambda: None)
            follower = Follower(SimpleNamespace(take=take), patience, lambda evaluation: None)
            with suppress(BrokenPipeError), follower:
                assert over.wait(10)
            return follower, signals

        return follow

    def test_a_busy_node_is_asked_again(self, follow, capsys) -> None:
        follower, signals = follow(GetTimeoutError("busy"), [("line", "epoch 1")])
        assert (follower.error, signals) == (None, [])
        assert capsys.readouterr().out == "epoch 1\n"

    def test_a_monitor_that_is_lost_ends_the_wait(self, follow) -> None:
        error = ActorDiedError()
        follower, signals = follow([("line", "epoch 1")], error)
        assert (follower.error, signals) == (error, [signal.SIGINT])
        assert not follower.gave_up

    def test_an_output_that_nobody_reads_ends_the_wait(self, follow, monkeypatch) -> None:
        def closed(*_: Any, **__: Any) -> None:
            raise BrokenPipeError

        monkeypatch.setattr("builtins.print", closed)
        follower, signals = follow([("line", "epoch 1")])
        assert isinstance(follower.error, BrokenPipeError)
        assert signals == [signal.SIGINT]

    def test_silence_beyond_its_patience_ends_the_wait(self, follow) -> None:
        follower, signals = follow(*[[]] * 1000, patience=0.01)
        assert (follower.gave_up, follower.error, signals) == (True, None, [signal.SIGINT])


def test_copying_is_reported_often_enough_for_this_runs_stall_seconds(monkeypatch) -> None:
    events = []
    report = SimpleNamespace(remote=lambda kind, value=None: events.append(kind))
    now = 100.0
    monkeypatch.setattr(driver_link.time, "monotonic", lambda: now)
    reporter = Reporter(SimpleNamespace(report=report), stall_seconds=8)
    for now in (100.0, 101.0, 102.0, 103.0, 104.0):  # noqa: B007
        reporter.copied()
    assert events == ["copied"] * 3
