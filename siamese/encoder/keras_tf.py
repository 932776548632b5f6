"""TensorFlow and Keras, imported quietly. Every module that needs them takes them from here."""

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from siamese.standard_error import holding_back

# What TensorFlow's C++ side writes to stderr when it is loaded, before its log level counts.
_CHATTER = re.compile(
    rb"absl::InitializeLog\(\)|Could not find cuda drivers|oneDNN custom operations"
    rb"|Unable to register cu|TF-TRT Warning|optimized to use available CPU instructions"
    rb"|To enable the following instructions"
)


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Hide packages that Keras imports if they are there, for parts of it that are not used here.

    They cost a quarter of the import, in every worker and every trial.
    """
    hidden = {name: None for name in packages if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None: Python's way to refuse an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Have Python not look for garbage in what is imported, which all stays.

    It would again and again: an eighth of the import, in every worker and every trial.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


# Must be set before the import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
# cuDNN's LSTM would compute in TF32 on a GPU, whatever TensorFlow is told: embeddings 1e-4 off
# those of a CPU, and no sooner (docs/benchmarks.md).
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
with holding_back(_CHATTER), _without("matplotlib", "sklearn"), _without_collecting():
    import keras
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"siamese needs Keras on TensorFlow, but Keras was imported before it with the "
        f"{keras.backend.backend()} backend. Import siamese first, or set KERAS_BACKEND=tensorflow."
    )

# The user's ~/.keras/keras.json may ask for another; weights of a recipe are the same everywhere.
keras.config.set_floatx("float32")

__all__ = ["keras", "tf"]
