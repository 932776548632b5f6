"""How a run is carried out: how many workers, of what, and where its figures go."""

from dataclasses import dataclass

from siamese.config.parts import load_part
from siamese.errors import UserError


@dataclass(frozen=True)
class Execution:
    """Says how a run is carried out; nothing here changes what comes of it.

    Attributes:
        workers: the least and the most workers; 0 and 0: this process, without Ray.
        gpus_per_worker: 0 to 1.
        cpus_per_worker: CPUs that Ray reserves for a worker, and its threads.
        gpu_memory_mb: the cap on a worker's GPU memory in MiB.
        checkpoint_steps: steps between checkpoints within an epoch.
        keep_checkpoints: how many are kept.
        stall_seconds: without progress, after which a worker is ended.
        max_failures: how often lost workers are replaced.
        trackers: the names of the trackers that figures go to, besides `metrics.jsonl`.
        verbose: show what Ray and TensorFlow write.
    """

    workers: tuple[int, int] = (0, 0)
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0
    gpu_memory_mb: int | None = None
    checkpoint_steps: int | None = 500
    keep_checkpoints: int = 2
    stall_seconds: float = 300.0
    max_failures: int = 8
    trackers: tuple[str, ...] = ("tensorboard",)
    verbose: bool = False


def parse_workers(workers: int | str | tuple[int, int]) -> tuple[int, int]:
    """Return the least and the most workers that a user asks for.

    Args:
        workers: a number, `"MIN:MAX"` or `(MIN, MAX)`; 0: this process, without Ray.

    Raises:
        UserError: it is none of these.
    """
    value = ":".join(map(str, workers)) if isinstance(workers, tuple) else str(workers)
    parts = value.split(":")
    if len(parts) <= 2 and all(part.isascii() and part.isdigit() for part in parts):
        least, most = int(parts[0]), int(parts[-1])
        if least <= most and (least or not most):
            return least, most
    raise UserError(
        f"--workers {value}: give a number, 0 to train in this process, or MIN:MAX such as 2:4."
    )


def check_execution(execution: Execution) -> None:
    """Refuse what would have no effect, or another than meant.

    Raises:
        UserError: says which option, and what to do; or a tracker cannot be used here.
    """
    for name in execution.trackers:
        load_part("tracker", name)()
    least, most = execution.workers
    gpus = execution.gpus_per_worker
    if gpus and not most:
        raise UserError(
            f"--gpus-per-worker {gpus:g} needs --workers 1 or more. Without workers this process "
            "takes the first GPU; cap its memory with --gpu-memory-mb."
        )
    if least < most and 0 < gpus < 1 and not (1 / gpus).is_integer():
        raise UserError(
            f"--gpus-per-worker {gpus:g} with --workers {least}:{most}: Ray counts the workers of "
            "an elastic run over all GPUs of a node together, so the share must be 1/2, 1/3, 1/4 …"
        )
