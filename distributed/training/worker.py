"""One worker of a run under Ray Train."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train
import ray.train.collective

from distributed.cluster.gpu_memory import cap_worker_memory
from distributed.training.driver_link import Reporter
from distributed.training.watchdog import Watchdog
from siamese.errors import FullDiskError, UserError, in_words, is_full
from siamese.training.checkpoint import newest_checkpoint, step_of
from siamese.training.context import LocalContext, Save
from siamese.training.execution import Execution
from siamese.training.gpu_memory import memory_note
from siamese.training.run_folder import RunFolder
from siamese.training.training_run import TrainingRun

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf


class RayContext(LocalContext):
    """Runs a worker of Ray Train's. The first one writes the run folder; all of them read it.

    Args:
        run: the run folder.
        execution: how the run is carried out.
        memory_mb: the cap in force.
        reporter: reports to the driver.
        watchdog: ends this process when it makes no progress.
    """

    def __init__(
        self,
        run: RunFolder,
        execution: Execution,
        memory_mb: int | None,
        reporter: Reporter,
        watchdog: Watchdog,
    ) -> None:
        super().__init__(run, execution, memory_mb)
        place = ray.train.get_context()
        self.rank = place.get_world_rank()
        self.world_size = place.get_world_size()
        self.strategy = _strategy(self.world_size, execution.gpus_per_worker)
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

    def checkpoint(self, step: int, save: Save, save_best: Save | None = None) -> None:
        """Let the first worker write it if the driver lives: a resumed run may have begun."""
        if self.rank == 0:
            self._reporter.check()
            super().checkpoint(step, save, save_best)
        self.heartbeat()

    def report(self, evaluation: dict[str, Any]) -> None:
        """Report to the driver, and to Ray Train's callbacks."""
        if self.rank == 0:
            self._reporter.evaluation(evaluation)
        ray.train.report(evaluation)
        self.heartbeat()

    def latest_checkpoint(self) -> Path | None:
        """Find the newest one that is whole to the first worker."""
        newest = None if self.rank else super().latest_checkpoint()
        name = ray.train.collective.broadcast_from_rank_zero(newest.name if newest else None)
        return self.run.checkpoints / name if name else None

    def say(self, text: str) -> None:
        """Have a line printed by the driver."""
        self._reporter.line(text)


def run_worker(config: dict[str, Any]) -> None:
    """Train, together with the other workers: what Ray Train runs in each.

    Args:
        config: `run`, a list with the reference of a `TrainingRun`; `monitor`, the handle of a
            `Monitor`.
    """
    monitor = config["monitor"]
    if ray.get(monitor.mistake.remote()):
        return  # started again after a user's mistake: nothing would change
    run: TrainingRun = ray.get(config["run"][0])
    rank = ray.train.get_context().get_world_rank()
    stall_seconds = run.execution.stall_seconds
    reporter = Reporter(monitor, stall_seconds)
    watchdog = Watchdog(
        stall_seconds,
        lambda text: ray.get(monitor.report.remote("line", f"worker {rank}: {text}"), timeout=5),
        lambda: ray.get(monitor.seconds_since_copied.remote(), timeout=5) < stall_seconds,
    )
    try:
        _train(run, reporter, watchdog, monitor)
    except UserError as error:
        ray.get(monitor.set_mistake.remote(error))
        raise
    except Exception as error:
        if is_full(error):
            ray.get(monitor.set_mistake.remote(FullDiskError(in_words(error))))
        ray.get(monitor.report.remote("line", f"worker {rank}: {_described(error)}"))
        raise
    finally:
        watchdog.stop()


def _described(error: Exception) -> str:
    from siamese.encoder.keras_tf import tf

    if isinstance(error, tf.errors.UnavailableError | tf.errors.AbortedError):
        return "another worker is gone"
    lines = str(error).strip().splitlines()
    return f"failed with {type(error).__name__}: {lines[0] if lines else ''}"


def _train(run: TrainingRun, reporter: Reporter, watchdog: Watchdog, monitor: Any) -> None:
    memory_mb = start_tensorflow(run.execution)
    watchdog.heartbeat()

    from siamese.data.shards import read_shards
    from siamese.training.loop import fit
    from siamese.training.teaching import Teaching

    gc.freeze()  # half a million objects that stay: no need to look for garbage among them

    def copied() -> None:
        watchdog.heartbeat()
        reporter.copied()

    folder = RunFolder.open(run.folder, copied)
    context = RayContext(folder, run.execution, memory_mb, reporter, watchdog)
    watchdog.heartbeat()
    if context.rank == 0:
        _report_start(context, ray.get(monitor.begin.remote()), reporter)
    groups, _ = read_shards(run.data, verify=False)  # the driver has
    watchdog.heartbeat()
    teacher = Teaching(run.teachers) if run.teachers else None
    fit(context, run.recipe, groups, run.pairs, run.prepared, run.parts, teacher)


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


def _report_start(context: RayContext, attempt: int, reporter: Reporter) -> None:
    checkpoint = newest_checkpoint(context.run.checkpoints, say=lambda text: None)
    where = f"from step {step_of(checkpoint):,}" if checkpoint else "from the start"
    again = f" (attempt {attempt})" if attempt > 1 else ""
    workers = f"{context.world_size} worker{'s' * (context.world_size > 1)}"
    reporter.line(f"training on {workers} {where}{again}")
    if attempt == 1 and (note := memory_note(context.execution.gpu_memory_mb, context.memory_mb)):
        reporter.line(note)
