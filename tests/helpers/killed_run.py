"""Starts the tiny run with trackers, and is killed in the middle of it (test_trackers.py)."""

import os
import signal
import sys
from pathlib import Path

from tiny_run import run_in

from siamese.training import batches
from siamese.training.execution import Execution

# 3 steps an epoch; a checkpoint after each epoch, so that the steps 4 and 5 are taken again.
STEPS = 5


def main(folder: str, *trackers: str) -> None:
    """Train until the batch after the last of `STEPS` is to be trained on."""
    make = batches.Batches.of_epoch
    taken = 0

    def dying(self, epoch, first):
        nonlocal taken
        for value in make(self, epoch, first):
            if taken == STEPS:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            yield value

    batches.Batches.of_epoch = dying  # type: ignore[method-assign]
    run_in(Path(folder), execution=Execution(checkpoint_steps=None, trackers=trackers))


if __name__ == "__main__":
    main(*sys.argv[1:])
