"""Which texts are encoded together, and whether a GPU may do it."""

import sys
from pathlib import Path

import numpy as np

# Characters that are encoded at once, padding counted: each takes some KiB.
MOST_CHARACTERS = 1 << 15


def batches_of(order: np.ndarray, lengths: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Cut rows in the order of rising length into batches: fewer rows where they are long."""
    batches = []
    while len(order):
        rows = order[:batch_size]
        rows = rows[: max(MOST_CHARACTERS // lengths[rows[-1]], 1)]
        batches.append(rows)
        order = order[len(rows) :]
    return batches


def may_have_gpu() -> bool:
    """Guess whether TensorFlow, which takes seconds to import, would find a GPU."""
    drivers = ("/dev/nvidiactl", "/dev/dxg")  # the second one: Windows' subsystem for Linux
    return "tensorflow" in sys.modules or any(Path(driver).exists() for driver in drivers)
