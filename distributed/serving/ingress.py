"""The service behind Ray Serve's own proxies, for KubeRay: `rayservice.yaml` names `build`."""

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig
from starlette.applications import Starlette

from distributed.serving.application import Replicas, application
from distributed.serving.plan import Door, Plan
from distributed.serving.replica import AT_ONCE
from siamese.serving.app import build_app
from siamese.serving.batching import Batching

# The environment variable that holds the token, as for `siamese serve`.
TOKEN = "SIAMESE_TOKEN"
# Requests that a front holds; those that wait for a replica are bounded by `queue`.
_MOST_HELD = 10_000


class Arguments(BaseModel):
    """Says what is served, and by how many: `args` of the application in `rayservice.yaml`.

    Attributes:
        model: a model folder's path or URI that every node can read.
        index: an index folder's, if there is one.
        min_replicas: of those that hold the model.
        max_replicas: of those that hold the model.
        cpus_per_replica: reserved, and used.
        gpus_per_replica: a whole GPU or a fraction of one.
        fronts: processes that take requests and collect them to batches.
        queue: requests that wait in each of these at most.
    """

    model_config = ConfigDict(extra="forbid")

    model: str
    index: str | None = None
    min_replicas: int = Field(1, ge=1)
    max_replicas: int = Field(1, ge=1)
    cpus_per_replica: float = Field(1.0, gt=0)
    gpus_per_replica: float = Field(0.0, ge=0, le=1)
    fronts: int = Field(1, ge=1)
    queue: int = Field(Door.queue, ge=1)


class Front:
    """Takes requests from a proxy of Ray Serve's, and hands them to the replicas in batches.

    Args:
        handle: of the replicas.
        at_once: batches that are sent at the same time.
        queue: requests that wait at most.
    """

    def __init__(self, handle: DeploymentHandle, at_once: int, queue: int) -> None:
        self._replicas = Replicas(handle)
        self._batching = Batching(self._replicas.answer, at_once, queue)

    def __serve_build_asgi_app__(self) -> Starlette:
        """Build the application where it runs."""
        return build_app(self._replicas, self._batching, os.environ.get(TOKEN) or None)


def build(arguments: Arguments) -> serve.Application:
    """Build the application: fronts, and replicas behind them."""
    plan = Plan(
        arguments.model,
        arguments.index,
        (arguments.min_replicas, arguments.max_replicas),
        arguments.cpus_per_replica,
        arguments.gpus_per_replica,
    )
    front: Any = serve.deployment(  # Ray's type is that of the decorator
        serve.ingress()(Front),
        name="Front",
        num_replicas=arguments.fronts,
        ray_actor_options={"num_cpus": 0.5},
        max_ongoing_requests=_MOST_HELD,
        logging_config=LoggingConfig(enable_access_log=False),
    )
    bound: serve.Application = front.bind(
        application(plan), AT_ONCE * arguments.max_replicas, arguments.queue
    )
    return bound
