"""One worker of a run under Ray Train."""

import gc
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ray
import ray.train
import ray.train.collective

from distributed.cluster.gpu_memory import cap_worker_memory
from distributed.keras.driver_link import POLL_EVERY, Reporter
from distributed.keras.watchdog import Watchdog
from siamese.errors import FullDiskError, UserError, in_words, is_full
from siamese.training.execution import Execution
from siamese.training.gpu_memory import memory_note

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf


class Worker:
    """A worker of Ray Train's: a `distributed.keras.process.Process`.

    Args:
        execution: how the run is carried out.
        memory_mb: the cap in force.
        monitor: the handle of a `Monitor`.
        reporter: reports to it.
        watchdog: ends this process when it makes no progress.
    """

    def __init__(
        self,
        execution: Execution,
        memory_mb: int | None,
        monitor: Any,
        reporter: Reporter,
        watchdog: Watchdog,
    ) -> None:
        place = ray.train.get_context()
        self.rank = place.get_world_rank()
        self.world_size = place.get_world_size()
        self.strategy = _strategy(self.world_size, execution.gpus_per_worker)
        self.execution = execution
        self.memory_mb = memory_mb
        self._monitor = monitor
        self._reporter = reporter
        self._watchdog = watchdog

    @contextmanager
    def progress(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        """Shown by the driver, for the first worker."""
        if self.rank:
            yield lambda n, note="": None
            return
        self._reporter.start(what, total, unit)
        yield self._reporter.advance
        self._reporter.end()

    def heartbeat(self) -> None:
        """Report to the watchdog and the driver."""
        self._watchdog.heartbeat()
        self._reporter.heartbeat()

    def copied(self) -> None:
        """Report to the watchdog and, for the others who wait meanwhile, the driver."""
        self._watchdog.heartbeat()
        self._reporter.copied()

    def begin(self, step: int | None) -> None:
        """Say on how many workers training begins, where, and for which time."""
        attempt = ray.get(self._monitor.begin.remote())
        where = "from the start" if step is None else f"from step {step:,}"
        again = f" (attempt {attempt})" if attempt > 1 else ""
        self.say(f"training on {_workers(self.world_size)} {where}{again}")
        note = memory_note(self.execution.gpu_memory_mb, self.memory_mb)
        if attempt == 1 and note:
            self.say(note)

    def safe_point(self, step: int) -> None:
        """Wait to be started again if there is room for more workers: see `Growth`.

        The first worker does; the others wait for it, at the latest where the next step ends.
        """
        if self.rank or self.world_size == self.execution.workers[1]:
            return
        room = self._reporter.room()
        if not room:
            return
        now = _workers(self.world_size)
        self.say(f"growing from {now} to {room} at step {step:,}")
        while self._reporter.room():
            self.heartbeat()
            time.sleep(POLL_EVERY)
        self.say(f"the room for more workers is gone: going on with {now}")

    def check_driver(self) -> None:
        """Raise `RayError` if the driver is gone: a resumed run may have begun."""
        self._reporter.check()

    def report(self, figures: dict[str, Any]) -> None:
        """Report to the driver."""
        self._reporter.evaluation(figures)

    def say(self, text: str) -> None:
        """Have a line printed by the driver."""
        self._reporter.line(text)

    def from_first(self, value: Any) -> Any:
        """Return the first worker's value in all of them."""
        return ray.train.collective.broadcast_from_rank_zero(value)


def run_worker(config: dict[str, Any]) -> None:
    """Train, together with the other workers: what Ray Train runs in each.

    Args:
        config: `train`, a list with the reference of a function that takes a `Worker`;
            `execution`, how the run is carried out; `monitor`, the handle of a `Monitor`.
    """
    monitor = config["monitor"]
    if ray.get(monitor.has_failed.remote()):
        return  # started again after a mistake: nothing would change
    execution: Execution = config["execution"]
    rank = ray.train.get_context().get_world_rank()
    stall_seconds = execution.stall_seconds
    reporter = Reporter(monitor, stall_seconds)
    watchdog = Watchdog(
        stall_seconds,
        lambda text: ray.get(monitor.report.remote("line", f"worker {rank}: {text}"), timeout=5),
        lambda: ray.get(monitor.seconds_since_copied.remote(), timeout=5) < stall_seconds,
    )
    try:
        memory_mb = start_tensorflow(execution)
        watchdog.heartbeat()
        gc.freeze()  # half a million objects that stay: no need to look for garbage among them
        # Only now: to unpickle a user's function imports what it uses.
        train: Callable[[Worker], None] = ray.get(config["train"][0])
        train(Worker(execution, memory_mb, monitor, reporter, watchdog))
    except UserError as error:
        ray.get(monitor.set_mistake.remote(error))
        raise
    except Exception as error:
        if is_full(error):
            ray.get(monitor.set_mistake.remote(FullDiskError(in_words(error))))
        elif _is_of_the_code(error):
            ray.get(monitor.set_bug.remote(*_packed(error)))
        ray.get(monitor.report.remote("line", f"worker {rank}: {_described(error)}"))
        raise
    finally:
        watchdog.stop()


def _is_of_the_code(error: Exception) -> bool:
    """Say whether it is the code that fails, and would fail again, and not the machines.

    Workers whose peer is gone raise some error of TensorFlow's. Of these, only what TensorFlow
    says of the code's own graph counts, and not what a peer's failure is passed on as.
    """
    from siamese.encoder.keras_tf import tf

    if isinstance(error, tf.errors.InvalidArgumentError | tf.errors.UnimplementedError):
        return "ollective" not in str(error)
    machines = (OSError, MemoryError, tf.errors.OpError)
    return not isinstance(error, machines) and not type(error).__module__.startswith("ray.")


def _packed(error: Exception) -> tuple[bytes | None, str]:
    """Return an error for another process, or None if it does not pickle; and its traceback."""
    text = "".join(traceback.format_exception(type(error), error, _own_frames(error)))
    try:
        return ray.cloudpickle.dumps(error), text
    except Exception:  # whatever the error holds
        return None, text


def _own_frames(error: Exception) -> TracebackType | None:
    """Return an error's traceback without the frames of this room before the user's."""
    here = Path(__file__).parent
    frames = error.__traceback__
    while frames and Path(frames.tb_frame.f_code.co_filename).parent == here and frames.tb_next:
        frames = frames.tb_next
    return frames


def _described(error: Exception) -> str:
    from siamese.encoder.keras_tf import tf

    if isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError):
        return "another worker is gone"
    lines = str(error).strip().splitlines()
    return f"failed with {type(error).__name__}: {lines[0] if lines else ''}"


def start_tensorflow(execution: Execution) -> int | None:
    """Set threads and the cap on GPU memory, before TensorFlow does anything.

    Args:
        execution: how the run is carried out.

    Returns:
        The cap in force in MiB, or None.
    """
    gpus = execution.gpus_per_worker
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # Ray leaves all visible to a worker without one
    from siamese.encoder.keras_tf import tf

    threads = max(int(execution.cpus_per_worker), 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return cap_worker_memory(execution.gpu_memory_mb, gpus)


def _strategy(world_size: int, gpus: float) -> "tf.distribute.Strategy":
    from siamese.encoder.keras_tf import tf

    if world_size == 1:
        return tf.distribute.get_strategy()
    # NCCL refuses two ranks on one GPU.
    shared = 0 < gpus < 1
    kind = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=kind.RING if shared or not gpus else kind.AUTO
    )
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


def _workers(count: int) -> str:
    return f"{count} worker{'s' * (count > 1)}"
