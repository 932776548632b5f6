"""Say what to do when a batch does not fit into memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from siamese.config.recipe import Recipe
from siamese.encoder.keras_tf import tf
from siamese.errors import UserError

# What cuDNN and cuBLAS say when memory is short, in errors of another kind.
_WORDS = ("DoRnn", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "OOM")


@contextmanager
def explaining_memory_errors(recipe: Recipe, cap_mb: int | None) -> Iterator[None]:
    """Turn TensorFlow's error about memory into advice.

    Args:
        recipe: every setting.
        cap_mb: on this worker's GPU memory in MiB, or None.

    Raises:
        UserError: a batch does not fit; names the settings to lower.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, tf.errors.InternalError) as error:
        exhausted = isinstance(error, tf.errors.ResourceExhaustedError)
        if not exhausted and not any(word in str(error) for word in _WORDS):
            raise
        raise UserError(_advice(recipe, cap_mb)) from None


def _advice(recipe: Recipe, cap_mb: int | None) -> str:
    sampling = recipe.sampling
    within = f"the cap of {cap_mb:,} MiB (--gpu-memory-mb {cap_mb})" if cap_mb else "memory"
    lower = (
        f"sampling.micro_batch_groups={sampling.micro_batch_groups}"
        if sampling.micro_batch_groups
        else "sampling.micro_batch_groups, which is not set: 64 holds a batch of any size in the "
        f"memory of 64 groups (sampling.batch_groups={sampling.batch_groups:,} now)"
    )
    return (
        f"a batch does not fit into {within}. Set or lower {lower}; or lower "
        f"text.max_length={recipe.text.max_length} or "
        f"encoder.lstm_units={list(recipe.encoder.lstm_units)}"
        + ("; or raise the cap" if cap_mb else "")
        + ". A run with other settings is a new one: --fresh, or another --run."
    )
