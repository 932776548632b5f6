"""Starts the workers of a run with Ray Train, and waits for them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

from siamese.errors import RunError
from siamese.storage.filesystem import absolute
from siamese.training.execution import Execution
from siamese.training.training_run import TrainingRun

# Ray Train's own settings, unless the user has set them. Lost workers are noticed within a second.
# Just after a node is lost Ray still counts on it, and waits so long before it asks again. No
# process tells workers of nodes that are going to be taken away: they would do nothing about it.
_START_TIMEOUT = 20
_RAY_TRAIN = {
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(_START_TIMEOUT),
}


# Seconds to wait for nodes that take the place of lost ones: an autoscaler needs minutes.
_WAIT_FOR_NODES = 1200


def launch(run: TrainingRun, report: Callable[[dict[str, Any]], None]) -> None:
    """Run the workers until the run has ended; lost ones are replaced, and go on.

    Args:
        run: what they share.
        report: is given each evaluation.

    Raises:
        UserError: a worker met a user's mistake.
        RunError: workers failed more often than they may.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from distributed.training.driver_link import Monitor

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    monitor: Any = Monitor.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    shared = ray.put(replace(run, data=absolute(run.data), folder=absolute(run.folder)))
    execution = run.execution
    settings = {
        **_RAY_TRAIN,
        "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": str(execution.stall_seconds),
        "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": str(int(execution.verbose)),
    }
    if not execution.verbose:
        logging.getLogger("ray.train").setLevel(logging.CRITICAL)
    # No checkpoint goes through Ray Train, which wants a place for them all the same.
    with TemporaryDirectory(prefix="siamese-ray-") as storage, _unless_set(settings):
        trainer = _trainer(execution, {"run": [shared], "monitor": monitor}, storage)
        problem = _wait(trainer, monitor, execution, report)
    try:
        mistake = ray.get(monitor.mistake.remote(), timeout=30)
    except ray.exceptions.RayError:
        mistake = None  # lost, and with it what it knew
    if mistake:
        raise mistake
    if problem:
        raise RunError(f"{problem}\nContinue with --resume once the cause is fixed.")


@contextmanager
def _unless_set(settings: Mapping[str, str]) -> Iterator[None]:
    """Put settings into the environment for this run, but for those that the user has set."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _trainer(execution: Execution, config: dict[str, Any], storage: str) -> Any:
    """Make the trainer of Ray's whose workers call `run_worker(config)`."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig

    from distributed.cluster.capacity import resources_of
    from distributed.cluster.ray_train_private import tensorflow_trainer
    from distributed.training.tf_config import TfConfig
    from distributed.training.worker import run_worker

    least, most = execution.workers
    return tensorflow_trainer(
        TfConfig(),
        run_worker,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=least if least == most else (least, most),  # type: ignore[arg-type]
            use_gpu=execution.gpus_per_worker > 0,
            resources_per_worker=resources_of(execution),
        ),
        run_config=RunConfig(
            storage_path=storage,
            failure_config=FailureConfig(  # type: ignore[call-arg]
                max_failures=execution.max_failures,
                controller_failure_limit=_WAIT_FOR_NODES // _START_TIMEOUT,
            ),
        ),
    )


def _wait(
    trainer: Any,
    monitor: Any,
    execution: Execution,
    report: Callable[[dict[str, Any]], None],
) -> str:
    """Wait for the workers; what went wrong, or nothing."""
    import ray.train

    from distributed.training.driver_link import Follower

    patience = max(_WAIT_FOR_NODES, 2 * execution.stall_seconds)
    follower = Follower(monitor, patience, report)
    gone = f"there were not enough nodes for the workers for {_WAIT_FOR_NODES // 60} minutes."
    try:
        with follower:
            trainer.fit()
    except ray.train.ControllerError as error:
        cause = error.controller_failure
        if isinstance(cause, ray.exceptions.RayError):
            return f"the cluster was lost: {_first_line(cause)}"
        return gone
    except ray.train.TrainingFailedError as error:
        return (
            f"the workers failed more than {execution.max_failures} times (--max-failures), the "
            f"last time with: {_last_line(error)}\n--verbose shows what the workers write."
        )
    except ray.exceptions.RayError as error:
        return f"the cluster was lost: {_first_line(error)}"
    except KeyboardInterrupt:
        if follower.gave_up:
            return gone
        if follower.error is None:
            raise
    if isinstance(follower.error, ray.exceptions.RayError):
        return f"what the workers report can no longer be had: {_first_line(follower.error)}"
    if follower.error is not None:
        raise follower.error
    return ""


def _last_line(error: Exception) -> str:
    failures = getattr(error, "worker_failures", {})
    causes = [str(cause).strip().splitlines()[-1] for cause in failures.values() if str(cause)]
    return causes[0] if causes else str(error).strip().splitlines()[-1]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
