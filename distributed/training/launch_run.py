"""Starts the workers of a training run, and waits for them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from distributed.keras.launch import launch, shared
from siamese.storage.filesystem import absolute
from siamese.training.shares import fitting_counts
from siamese.training.training_run import TrainingRun


def launch_run(run: TrainingRun, report: Callable[[dict[str, Any]], None]) -> None:
    """Run the workers until the run has ended.

    Args:
        run: what they share.
        report: is given each evaluation.

    Raises:
        UserError: a worker met a user's mistake.
        RunError: workers failed more often than they may.
    """
    from distributed.training.ray_context import train_worker

    everywhere = replace(run, data=absolute(run.data), folder=absolute(run.folder))
    counts = fitting_counts(run.recipe, run.execution.workers)
    launch(shared(partial(train_worker, everywhere)), run.execution, report, counts=counts)
