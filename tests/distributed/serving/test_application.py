"""Calls that outlive a replica's death, with a handle that fails in the place of Ray's."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import DeploymentUnavailableError

from distributed.serving import application
from distributed.serving.application import TRIES, Replicas
from siamese.serving.answer import Answer, RequestError

DIED = ActorDiedError()
AWAY = ActorUnavailableError("not there", actor_id=None)
ANSWERS = [Answer(200, b"{}")]


class Handle:
    """Answers after it has failed as told; counts the calls."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.answer = self.status = SimpleNamespace(remote=self._call)

    async def _call(self, *_: Any) -> Any:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return ANSWERS


def answer(handle: Any) -> Any:
    return asyncio.run(Replicas(handle).answer([]))


@pytest.mark.parametrize(
    "failures", [[], [DIED], [AWAY, DIED], [DIED] * (TRIES - 1), [AWAY] * (TRIES + 2)]
)
def test_a_batch_is_given_to_another_replica_when_one_dies(failures) -> None:
    handle = Handle(*failures)
    assert answer(handle) == ANSWERS
    assert handle.calls == len(failures) + 1


def test_a_batch_that_all_replicas_die_of_is_given_up() -> None:
    handle = Handle(*[DIED] * 99)
    with pytest.raises(RequestError, match="one replica after the other died") as refused:
        answer(handle)
    assert refused.value.status == 503
    assert handle.calls == TRIES


@pytest.mark.parametrize("error", [AWAY, DeploymentUnavailableError("Replica")])
def test_replicas_that_stay_away_are_not_waited_for_without_an_end(error, monkeypatch) -> None:
    monkeypatch.setattr(application, "PATIENCE", 0.25)
    with pytest.raises(RequestError, match="no replica answers"):
        answer(Handle(*[error] * 99))


def test_a_bug_of_a_replica_is_not_tried_again() -> None:
    handle = Handle(RuntimeError("a bug"))
    with pytest.raises(RuntimeError):
        answer(handle)
    assert handle.calls == 1
