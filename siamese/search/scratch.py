"""Arrays in files that are mapped into memory: larger than what is free, and gone with the work."""

import os
from pathlib import Path

import numpy as np


def mapped(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """Make a file of numbers, float32 `[rows, columns]`, mapped into memory.

    Raises:
        OSError: the disk is full: told here, for a write to a mapped page would end the process.
    """
    size = max(4 * shape[0] * shape[1], 1)
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            error.filename = str(path)
            raise
    return np.memmap(path, np.float32, "r+", shape=shape)
