"""The cap on a worker's GPU memory."""

import os
from collections.abc import Sequence

from siamese.errors import UserError

# What a process takes of a GPU besides TensorFlow's own memory: CUDA's context and libraries.
CONTEXT_MB = 512


def share_of(total_mb: int, fraction: float) -> int:
    """The cap of a worker that has a fraction of a GPU, in MiB."""
    return int(total_mb * fraction) - CONTEXT_MB


def cap_memory(asked_mb: int | None, gpus: float | None) -> int | None:
    """Cap TensorFlow's memory on every GPU that this process sees, before any is initialised.

    The notebook's `limit_gpu_memory`. TensorFlow takes the whole of a GPU otherwise.

    Args:
        asked_mb: the cap in MiB that the user asked for.
        gpus: this worker's GPUs: of a fraction, its share is the cap if none was asked for.

    Returns:
        The cap in force in MiB; None without a GPU or a cap.

    Raises:
        UserError: the worker was given a GPU that TensorFlow cannot use, or one too small.
    """
    from siamese.encoder.keras_tf import tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        if gpus:
            raise UserError(
                "this worker was given a GPU, but TensorFlow finds none. Install its CUDA "
                "libraries (pip install '.[gpu]'), or train with --gpus-per-worker 0."
            )
        return None
    cap = asked_mb
    if cap is None and gpus and gpus < 1:
        cap = share_of(_total_mb(), gpus)
        if cap <= 0:
            raise UserError(
                f"{gpus:g} of this GPU is {cap + CONTEXT_MB:,} MiB, and CUDA itself needs about "
                f"{CONTEXT_MB}. Give each worker more with --gpus-per-worker."
            )
    if cap is not None:
        _set_cap(devices, cap)
    return cap


def memory_note(asked_mb: int | None, cap_mb: int | None) -> str:
    """A line for the log about the cap in force, or none."""
    if cap_mb:
        return f"GPU memory capped at {cap_mb:,} MiB a worker"
    return "no GPU here: --gpu-memory-mb has no effect" if asked_mb else ""


def _set_cap(devices: Sequence[object], cap: int) -> None:
    from siamese.encoder.keras_tf import tf

    for device in devices:
        tf.config.set_logical_device_configuration(
            device, [tf.config.LogicalDeviceConfiguration(memory_limit=cap)]
        )


def _total_mb() -> int:
    """The memory of the first GPU that this process may use."""
    from ray._private.thirdparty import pynvml

    pynvml.nvmlInit()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    handle = (
        pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        if visible.isdigit()
        else pynvml.nvmlDeviceGetHandleByUUID(visible)
    )
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20
