"""How a run is carried out: how many workers, of what, and where its figures go."""

import math
from dataclasses import dataclass

from siamese.config.parts import load_part
from siamese.config.recipe import NEIGHBOURHOOD, Recipe
from siamese.errors import UserError

# What the workers share of a batch: the setting, what a share is a multiple of, and its name.
_SHARED = (("batch_groups", 1, "groups"), ("unlabelled", NEIGHBOURHOOD, "texts"))


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


def fitting_counts(recipe: Recipe, workers: tuple[int, int]) -> list[int]:
    """List the numbers of workers that can share a batch equally, from the least to the most."""
    return [
        count
        for count in range(workers[0], workers[1] + 1)
        if all(getattr(recipe.sampling, name) % (unit * count) == 0 for name, unit, _ in _SHARED)
    ]


def check_shares(recipe: Recipe, workers: tuple[int, int]) -> None:
    """Check that every worker has as many groups and unlabelled texts of a batch as any other.

    Of an elastic run, that holds for its least and its most workers (`fitting_counts`).

    Raises:
        UserError: says which sizes of a batch would do.
    """
    counts = sorted(set(workers)) if workers[1] else []
    for name, unit, what in _SHARED:
        size = getattr(recipe.sampling, name)
        odd = [count for count in counts if size % (unit * count)]
        if odd:
            step = unit * math.lcm(*counts)
            fitting = sorted({max(size // step, 1) * step, -(-size // step) * step})
            raise UserError(
                f"sampling.{name}={size} {what} cannot be shared equally by "
                f"{' or '.join(map(str, odd))} workers. Set it to "
                f"{' or '.join(map(str, fitting))}, or change --workers."
            )
