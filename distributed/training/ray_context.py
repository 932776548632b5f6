"""Train the encoder in a worker: the first user of `distributed.keras`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ray.train

from distributed.keras.worker import Worker
from siamese.storage.checkpoints import step_of
from siamese.training.checkpoint import newest_checkpoint
from siamese.training.context import LocalContext, Save
from siamese.training.run_folder import RunFolder
from siamese.training.training_run import TrainingRun


class RayContext(LocalContext):
    """Runs a worker of Ray Train's. The first one writes the run folder; all of them read it.

    Args:
        run: the run folder.
        worker: carries it.
    """

    def __init__(self, run: RunFolder, worker: Worker) -> None:
        super().__init__(run, worker.execution, worker.memory_mb)
        self.rank = worker.rank
        self.world_size = worker.world_size
        self.strategy = worker.strategy
        self._worker = worker

    def progress(
        self, what: str, total: int, unit: str
    ) -> AbstractContextManager[Callable[..., None]]:
        """Shown by the driver, for the first worker."""
        return self._worker.progress(what, total, unit)

    def heartbeat(self) -> None:
        """Report to the watchdog and the driver."""
        self._worker.heartbeat()

    def checkpoint(self, step: int, save: Save, save_best: Save | None = None) -> None:
        """Let the first worker write it if the driver lives: a resumed run may have begun."""
        if self.rank == 0:
            self._worker.check_driver()
            super().checkpoint(step, save, save_best)
        self.heartbeat()

    def safe_point(self, step: int) -> None:
        """Wait to be started again if there is room for more workers."""
        self._worker.safe_point(step)

    def report(self, evaluation: dict[str, Any]) -> None:
        """Report to the driver, and to Ray Train's callbacks."""
        if self.rank == 0:
            self._worker.report(evaluation)
        ray.train.report(evaluation)
        self.heartbeat()

    def latest_checkpoint(self) -> Path | None:
        """Find the newest one that is whole to the first worker."""
        newest = None if self.rank else super().latest_checkpoint()
        name = self._worker.from_first(newest.name if newest else None)
        return self.run.checkpoints / name if name else None

    def say(self, text: str) -> None:
        """Have a line printed by the driver."""
        self._worker.say(text)


def train_worker(run: TrainingRun, worker: Worker) -> None:
    """Train, together with the other workers.

    Args:
        run: what they share.
        worker: this one.
    """
    from siamese.data.shards import read_shards
    from siamese.training.loop import fit
    from siamese.training.teaching import Teaching

    folder = RunFolder.open(run.folder, worker.copied)
    context = RayContext(folder, worker)
    context.heartbeat()
    if context.rank == 0:
        newest = newest_checkpoint(folder.checkpoints, say=lambda text: None)
        worker.begin(step_of(newest) if newest else None)
    groups, _ = read_shards(run.data, verify=False)  # the driver has
    context.heartbeat()
    teacher = Teaching(run.teachers) if run.teachers else None
    fit(context, run.recipe, groups, run.pairs, run.prepared, run.parts, teacher)
