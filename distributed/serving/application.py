"""The application of Ray Serve: replicas, and a handle whose calls outlive a replica's death."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from ray import serve
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.serve.config import AutoscalingConfig
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig

from distributed.serving.plan import Plan
from distributed.serving.replica import AT_ONCE, Replica
from siamese.serving.answer import Answer
from siamese.serving.batching import busy
from siamese.serving.requests import Request

# How many replicas may die with a batch, one after the other: it may be the cause.
TRIES = 4
# Seconds that are waited for a replica that answers: to replace the only one takes some.
PATIENCE = 60.0
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
                min_replicas=least,
                max_replicas=most,
                target_ongoing_requests=1,
                upscale_delay_s=5,  # Ray Serve's own: half a minute
                downscale_delay_s=60,
            )
        }
    deployment: Any = serve.deployment(  # Ray's type is that of the decorator
        Replica,
        **scaling,
        ray_actor_options={"num_cpus": plan.cpus, "num_gpus": plan.gpus},
        max_ongoing_requests=AT_ONCE + 1,  # one for who asks how it is
        health_check_period_s=1,  # a dead one is replaced as soon
        health_check_timeout_s=10,
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
            RequestError: one replica after the other died, or none is there in time.
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
    """Call until a replica has answered: each time it may be another one."""
    died = 0
    try:
        async with asyncio.timeout(PATIENCE):
            while died < TRIES:
                try:
                    return await call()
                except (ActorUnavailableError, DeploymentUnavailableError):
                    await asyncio.sleep(0.1)
                except RayActorError:
                    died += 1
    except TimeoutError:
        raise busy("no replica answers") from None
    raise busy("one replica after the other died")
