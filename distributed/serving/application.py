"""The application of Ray Serve: replicas, and a handle whose calls outlive a replica's death."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ray import serve
from ray.exceptions import RayActorError
from ray.serve.config import AutoscalingConfig
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from distributed.serving.plan import Plan
from distributed.serving.replica import AT_ONCE, Replica
from siamese.serving.answer import Answer
from siamese.serving.batching import busy
from siamese.serving.requests import Request

# How often a batch is given to another replica when one dies with it: the batch may be the cause.
TRIES = 4
STATUS_SECONDS = 5.0

Result = TypeVar("Result")


def application(plan: Plan) -> serve.Application:
    """Make the application of replicas, which is asked by a handle."""
    least, most = plan.replicas
    scaling: dict[str, Any] = {"num_replicas": most}
    if least < most:
        # A batch that is being answered by each replica is enough; a second one waits.
        scaling = {
            "autoscaling_config": AutoscalingConfig(
                min_replicas=least, max_replicas=most, target_ongoing_requests=1
            )
        }
    deployment: Any = serve.deployment(  # Ray's type is that of the decorator
        Replica,
        **scaling,
        ray_actor_options={"num_cpus": plan.cpus, "num_gpus": plan.gpus},
        max_ongoing_requests=AT_ONCE,
        health_check_period_s=1,  # a dead one is replaced as soon
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=5,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    bound: serve.Application = deployment.bind(plan.model, plan.index, plan.gpus)
    return bound


class Replicas:
    """What is in front of the replicas: `siamese.serving.app.Backend`.

    Args:
        handle: of the application.
    """

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    async def answer(self, requests: Sequence[Request]) -> Sequence[Answer]:
        """Have a batch answered, by another replica when one dies with it.

        Raises:
            RequestError: one replica after the other died.
        """
        # Answering changes nothing, so that it may be done twice.
        return await _persistently(lambda: self._handle.answer.remote(requests))

    async def status(self) -> dict[str, Any]:
        """Ask a replica what answers.

        Raises:
            RequestError: none is there in time.
        """
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                status: dict[str, Any] = await _persistently(self._handle.status.remote)
                return status
        except TimeoutError:
            raise busy("no replica answers") from None

    async def metrics(self) -> str:
        """Return what Ray Serve counts on this machine."""
        from distributed.serving.metrics import serve_metrics

        return await asyncio.to_thread(serve_metrics)


async def _persistently(call: Callable[[], Awaitable[Result]]) -> Result:
    for _ in range(TRIES):
        try:
            return await call()
        except (RayActorError, DeploymentUnavailableError):
            await asyncio.sleep(0.05)
    raise busy("one replica after the other died")
