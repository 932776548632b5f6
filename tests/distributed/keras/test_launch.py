"""What is said of how a run ended. No cluster is started here."""

from collections.abc import Callable

import pytest
import ray.train
from ray.exceptions import RaySystemError

from distributed.keras import driver_link
from distributed.keras.launch import _wait
from siamese.training.execution import Execution


@pytest.fixture
def ending(monkeypatch) -> Callable[..., str]:
    """What `_wait` says when `fit` raises an error."""

    class Follower:
        gave_up, error = False, None

        def __init__(self, *_: object) -> None:
            Follower.gave_up, Follower.error = self.gave_up, self.error

        def __enter__(self) -> "Follower":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def wait(raised: BaseException | None, gave_up: bool = False, error=None) -> str:
        class Trainer:
            def fit(self) -> None:
                if raised:
                    raise raised

        Follower.gave_up, Follower.error = gave_up, error
        return _wait(Trainer(), None, Execution(workers=(1, 1), max_failures=3), print, print)

    monkeypatch.setattr(driver_link, "Follower", Follower)
    return wait


def test_a_run_that_ends_well_has_no_problem(ending) -> None:
    assert ending(None) == ""


def test_too_few_nodes_are_told_from_a_cluster_that_was_lost(ending) -> None:
    nobody = ray.train.ControllerError(TimeoutError("no worker started in time"))
    assert ending(nobody).startswith("there were not enough nodes for the workers for 20 minutes")
    lost = ray.train.ControllerError(RaySystemError("the head is gone"))
    assert ending(lost).startswith("the cluster was lost: ")
    assert "the head is gone" in ending(lost)


def test_workers_that_failed_too_often_are_counted_and_the_cause_is_named(ending) -> None:
    failed = ray.train.WorkerGroupError("failed", {0: ValueError("of no use\nat all")})
    text = ending(failed)
    assert text.startswith("the workers failed more than 3 times (--max-failures)")
    assert "the last time with: at all" in text


def test_an_interrupt_is_the_users_unless_the_driver_has_given_up(ending) -> None:
    with pytest.raises(KeyboardInterrupt):
        ending(KeyboardInterrupt())
    assert ending(KeyboardInterrupt(), gave_up=True).startswith("there were not enough nodes")
    told = ending(KeyboardInterrupt(), error=RaySystemError("gone"))
    assert told.startswith("what the workers report can no longer be had: ")
    with pytest.raises(ValueError, match="a bar"):
        ending(KeyboardInterrupt(), error=ValueError("a bar"))
