"""A worker's share of the memory of a GPU that several workers use."""

import os

from distributed.cluster.ray_private import gpu_memory_mb
from siamese.errors import UserError
from siamese.training.gpu_memory import cap_memory

# What a process takes of a GPU besides TensorFlow's own memory: CUDA's context and libraries.
CONTEXT_MB = 512


def share_of(total_mb: int, fraction: float) -> int:
    """Compute the cap of a worker that has a fraction of a GPU, in MiB."""
    return int(total_mb * fraction) - CONTEXT_MB


def cap_worker_memory(asked_mb: int | None, gpus: float) -> int | None:
    """Cap TensorFlow's memory as asked for, or at this worker's share of its GPU.

    Args:
        asked_mb: the cap in MiB that the user asked for.
        gpus: this worker's GPUs: of a fraction, its share is the cap if none was asked for.

    Returns:
        The cap in force in MiB; None without a GPU or a cap.

    Raises:
        UserError: the worker was given a GPU that TensorFlow cannot use, or one too small.
    """
    from siamese.encoder.keras_tf import tf

    if gpus and not tf.config.list_physical_devices("GPU"):
        raise UserError(
            "this worker was given a GPU, but TensorFlow finds none. Install its CUDA "
            "libraries (pip install '.[gpu]'), or train with --gpus-per-worker 0."
        )
    cap = asked_mb
    if cap is None and 0 < gpus < 1:
        cap = share_of(_total_mb(), gpus)
        if cap <= 0:
            raise UserError(
                f"{gpus:g} of this GPU is {cap + CONTEXT_MB:,} MiB, and CUDA itself needs about "
                f"{CONTEXT_MB}. Give each worker more with --gpus-per-worker."
            )
    return cap_memory(cap)


def _total_mb() -> int:
    """Find the memory of the first GPU that this process may use, in MiB."""
    return gpu_memory_mb(os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0])
