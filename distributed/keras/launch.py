"""Starts the workers of a run with Ray Train, and waits for them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pickle import PicklingError
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from siamese.errors import RunError, UserError
from siamese.training.execution import Execution

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


def shared(train: Callable[[Any], None]) -> Any:
    """Put a function where all workers get it from; Ray must be connected.

    Args:
        train: is given a `distributed.keras.worker.Worker`. It is pickled (with cloudpickle), and
            unpickled only when TensorFlow has been set up.

    Raises:
        UserError: it cannot be pickled.
    """
    import ray

    try:
        return ray.put(train)
    except (TypeError, AttributeError, PicklingError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"what the workers are to run cannot be sent to them ({reason}). Build models, and "
            "open files and connections, inside of the function."
        ) from None


def launch(
    train: Any,
    execution: Execution,
    report: Callable[[dict[str, Any]], None],
    say: Callable[[str], None] | None = None,
    counts: Sequence[int] | None = None,
) -> None:
    """Run the workers until all have ended; lost ones are replaced, and go on.

    Args:
        train: of `shared`: what each of them runs. It goes on from the newest checkpoint, if there
            is one.
        execution: how many, and of what.
        report: is given what the first worker reports.
        say: prints a line; None: `print`.
        counts: the numbers of workers that an elastic run may have; None: all between the least and
            the most.

    Raises:
        UserError: a worker met a user's mistake.
        RunError: workers failed more often than they may.
        Exception: any that `train` raised and would raise again, with the worker's traceback.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from distributed.keras.driver_link import Monitor, print_line

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    monitor: Any = Monitor.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    config = {"train": [train], "execution": execution, "monitor": monitor}
    settings = {
        **_RAY_TRAIN,
        "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": str(execution.stall_seconds),
        "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": str(int(execution.verbose)),
    }
    if not execution.verbose:
        logging.getLogger("ray.train").setLevel(logging.CRITICAL)
    # No checkpoint goes through Ray Train, which wants a place for them all the same.
    with TemporaryDirectory(prefix="siamese-ray-") as storage, _unless_set(settings):
        trainer = _trainer(execution, config, storage, counts)
        problem = _wait(trainer, monitor, execution, report, say or print_line)
    try:
        mistake, bug = ray.get([monitor.mistake.remote(), monitor.bug.remote()], timeout=30)
    except ray.exceptions.RayError:
        mistake = bug = None  # lost, and with it what it knew
    if mistake:
        raise mistake
    if bug:
        _raise_again(*bug)
    if problem:
        raise RunError(f"{problem}\nContinue with --resume once the cause is fixed.")


class _WorkerTraceback(Exception):  # noqa: N818
    """Shows where in a worker an error was raised, as its cause."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


def _raise_again(pickled: bytes | None, traceback: str) -> NoReturn:
    """Raise an error of a worker's here."""
    import ray

    error: BaseException = RunError(f"a worker failed:\n{traceback}")
    if pickled is not None:
        with suppress(Exception):  # a class that this process cannot import, or make again
            error = ray.cloudpickle.loads(pickled)
    raise error from _WorkerTraceback(traceback)


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


def _trainer(
    execution: Execution, config: dict[str, Any], storage: str, counts: Sequence[int] | None
) -> Any:
    """Make the trainer of Ray's whose workers call `run_worker(config)`."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig

    from distributed.cluster.capacity import resources_of
    from distributed.cluster.ray_train_private import tensorflow_trainer
    from distributed.keras.growth import Growth
    from distributed.keras.tf_config import TfConfig
    from distributed.keras.worker import run_worker

    least, most = execution.workers
    need = resources_of(execution)
    return tensorflow_trainer(
        TfConfig(),
        run_worker,
        Growth(config["monitor"], need, counts or range(least, most + 1)) if least < most else None,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=least if least == most else (least, most),  # type: ignore[arg-type]
            use_gpu=execution.gpus_per_worker > 0,
            resources_per_worker=need,
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
    say: Callable[[str], None],
) -> str:
    """Wait for the workers; what went wrong, or nothing."""
    import ray.train

    from distributed.keras.driver_link import Follower

    patience = max(_WAIT_FOR_NODES, 2 * execution.stall_seconds)
    follower = Follower(monitor, patience, report, say)
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
