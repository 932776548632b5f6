"""Starts the workers of a run with Ray Train, and waits for them."""

import os
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.errors import RunError, UserError
from siamese.storage.filesystem import absolute
from siamese.training.preparation import Prepared

if TYPE_CHECKING:
    from siamese.training.execution import Execution


# Ray Train's own settings, unless the user has set them. Lost workers are noticed within a second.
# Just after a node is lost Ray still counts on it, and waits so long before it asks again.
_START_TIMEOUT = 20
_RAY_TRAIN = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(_START_TIMEOUT),
}


# Seconds to wait for nodes that take the place of lost ones: an autoscaler needs minutes.
_WAIT_FOR_NODES = 1200


def launch(
    data: str,
    run: str,
    recipe: Recipe,
    pairs: list[Pair],
    prepared: Prepared,
    execution: "Execution",
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Run the workers until the run has ended; lost ones are replaced, and go on.

    Args:
        data: the data set, a path or URI.
        run: the run folder, a path or URI, begun.
        recipe: every setting.
        pairs: development pairs.
        prepared: the vocabulary and the initial embeddings.
        execution: how many workers, and of what.
        report: is given each evaluation.

    Raises:
        UserError: a worker met a user's mistake.
        RunError: workers failed more often than they may.
    """
    for name, value in _RAY_TRAIN.items():
        os.environ.setdefault(name, value)
    stall = str(execution.stall_seconds)
    os.environ.setdefault("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", stall)

    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from distributed.training.driver_link import Monitor
    from distributed.training.keras_trainer import KerasTrainer
    from distributed.training.worker import Job, run_worker

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    monitor: Any = Monitor.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    job = ray.put(Job(recipe, absolute(data), pairs, prepared, absolute(run), execution))
    least, most = execution.workers
    resources = {"CPU": execution.cpus_per_worker}
    if execution.gpus_per_worker:
        resources["GPU"] = execution.gpus_per_worker
    # No checkpoint goes through Ray Train, which wants a place for them all the same.
    with TemporaryDirectory(prefix="siamese-ray-") as storage:
        trainer = KerasTrainer(
            run_worker,
            train_loop_config={"job": [job], "monitor": monitor},
            scaling_config=ScalingConfig(
                num_workers=least if least == most else (least, most),  # type: ignore[arg-type]
                use_gpu=execution.gpus_per_worker > 0,
                resources_per_worker=resources,
            ),
            run_config=RunConfig(
                storage_path=storage,
                failure_config=FailureConfig(  # type: ignore[call-arg]
                    max_failures=execution.max_failures,
                    controller_failure_limit=_WAIT_FOR_NODES // _START_TIMEOUT,
                ),
            ),
        )
        problem = _wait(trainer, monitor, execution, report)
    try:
        mistake = ray.get(monitor.mistake.remote(), timeout=30)
    except ray.exceptions.RayError:
        mistake = None  # lost, and with it what it knew
    if mistake:
        raise UserError(mistake)
    if problem:
        raise RunError(f"{problem}\nContinue with --resume once the cause is mended.")


def _wait(
    trainer: Any,
    monitor: Any,
    execution: "Execution",
    report: Callable[[dict[str, Any]], None],
) -> str:
    """Wait for the workers; what went wrong, or nothing."""
    import ray

    from distributed.training.driver_link import Follower

    patience = max(_WAIT_FOR_NODES, 2 * execution.stall_seconds)
    follower = Follower(monitor, patience, report)
    gone = f"there were not enough nodes for the workers for {_WAIT_FOR_NODES // 60} minutes."
    try:
        with follower:
            trainer.fit()
    except ray.train.ControllerError:
        return gone
    except ray.train.TrainingFailedError as error:
        return (
            f"the workers failed more than {execution.max_failures} times (--max-failures), the "
            f"last time with: {_last_line(error)}\n--verbose shows what the workers write."
        )
    except SystemExit:  # what Ray makes of a SIGINT
        if follower.gave_up:
            return gone
        raise KeyboardInterrupt from None
    return ""


def _last_line(error: Exception) -> str:
    failures = getattr(error, "worker_failures", {})
    causes = [str(cause).strip().splitlines()[-1] for cause in failures.values() if str(cause)]
    return causes[0] if causes else str(error).strip().splitlines()[-1]
