"""One trial of a sweep: a run like any other, which reports each epoch to Ray Tune."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from pydantic import ValidationError
from ray import tune

from distributed.sweep.shared import Shared
from distributed.training.launch_run import launch_run
from siamese.config.loading import explain, with_settings
from siamese.config.recipe import Recipe
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.data.shards import read_shards
from siamese.errors import FullDiskError, RunError, UserError, in_words, is_full
from siamese.storage.atomic import read_json, replacing_folder
from siamese.storage.checkpoints import checkpoint_folders, folder_name
from siamese.storage.ownership import owning
from siamese.training.context import LocalContext, Save
from siamese.training.execution import Execution
from siamese.training.initial_model import InitialModel
from siamese.training.preparation import Prepared, prepare
from siamese.training.run_folder import RunFolder
from siamese.training.training_run import TrainingRun

# Seconds in which the process of a trial ends whose driver was killed, or that Ray Tune stopped.
_END_WITHIN = 60.0


@ray.remote(num_cpus=0)
class Preparations:
    """Makes the vocabulary and the initial embeddings once for all trials that can share them.

    It ends with the driver, and by that a trial knows that the driver is gone.
    """

    def __init__(self, data: str, pairs: list[Pair], initial: InitialModel | None) -> None:
        self._data: TrainingData = read_shards(data, verify=False)[0]
        self._pairs = pairs
        self._initial = initial
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()

    def get(self, recipe: Recipe) -> list[Any]:
        """Return a list with the reference of a recipe's `Prepared`, or with a user's mistake."""
        encoder = recipe.encoder
        key = repr(
            (
                recipe.seed,
                recipe.text,
                encoder.vectors,
                encoder.embedding_dim,
                encoder.embedding_range,
                encoder.train_embeddings,
            )
        )
        with self._making:
            if key not in self._made:
                try:
                    made = prepare(recipe, self._data, self._pairs, initial=self._initial)
                    self._made[key] = ray.put(made)
                except UserError as error:
                    return [error]
            return [self._made[key]]

    def check(self) -> None:
        """Answer, to show that the driver is there; also while `get` is at work."""


class TrialContext(LocalContext):
    """Runs a trial of one worker.

    Args:
        run: its run folder.
        execution: how it is carried out.
        memory_mb: the cap on GPU memory that is in force.
        check_driver: raises an error when the driver is gone.
    """

    def __init__(
        self,
        run: RunFolder,
        execution: Execution,
        memory_mb: int | None,
        check_driver: Callable[[], None],
    ) -> None:
        super().__init__(run, execution, memory_mb)
        self._check_driver = check_driver

    @contextmanager
    def progress(self, what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
        """Show nothing: the driver shows the epochs of all trials."""
        yield lambda n, note="": None

    def checkpoint(self, step: int, save: Save, save_best: Save | None = None) -> None:
        """Keep a checkpoint, unless the driver is gone: a resumed sweep may have begun."""
        self._check_driver()
        super().checkpoint(step, save, save_best)

    def report(self, evaluation: dict[str, Any]) -> None:
        """Report to Ray Tune, which may end this process for it, with a checkpoint to clone."""
        newest = checkpoint_folders(self.run.checkpoints)[-1]
        _report(evaluation, tune.Checkpoint.from_directory(str(newest)))


def run_trial(config: dict[str, Any], shared: Shared) -> None:
    """Train a trial: what Ray Tune runs, in a process for each.

    A user's mistake, such as a loss that is no number, is reported and ends the trial: to try
    again would not fix it. A full disk ends the sweep, which can be resumed.

    Args:
        config: `settings`, by key.
        shared: the same for all trials.
    """
    location = f"{shared.trials}/{tune.get_context().get_trial_id()}"
    try:
        with owning(location, wait=_END_WITHIN):
            _train(config["settings"], shared, location)
    except FullDiskError as error:
        tune.report({"error": str(error), "ends_sweep": True})
    except (UserError, RunError) as error:
        tune.report({"error": str(error)})
    except OSError as error:
        if not is_full(error):
            raise
        tune.report({"error": in_words(error), "ends_sweep": True})


def _train(settings: dict[str, Any], shared: Shared, location: str) -> None:
    try:
        recipe = with_settings(shared.recipe, settings)
    except ValidationError as error:  # settings that do not go together
        raise UserError("; ".join(explain(error))) from None
    folder = RunFolder.open(location)
    folder.start(recipe, shared.summary, fresh=False)
    if checkpoint := tune.get_checkpoint():
        with checkpoint.as_directory() as source:
            _adopt(Path(source), folder)
    [reference] = ray.get(shared.preparations.get.remote(recipe))
    if isinstance(reference, UserError):
        raise reference
    prepared: Prepared = ray.get(reference)
    execution = shared.execution
    if execution.workers[1]:
        run = TrainingRun(shared.data, shared.pairs, location, recipe, prepared, execution)
        launch_run(run, _report)
        return
    from distributed.keras.worker import start_tensorflow
    from siamese.training.loop import fit

    memory_mb = start_tensorflow(execution)
    context = TrialContext(
        folder,
        execution,
        memory_mb,
        lambda: ray.get(shared.preparations.check.remote(), timeout=60),
    )
    data, _ = read_shards(shared.data, verify=False)  # the driver has
    fit(context, recipe, data, shared.pairs, prepared)


def _report(evaluation: dict[str, Any], checkpoint: Any = None) -> None:
    # Apart from what Ray Tune adds, for the driver; flat, for the scheduler.
    tune.report({**evaluation, "evaluation": evaluation}, checkpoint=checkpoint)


def _adopt(source: Path, folder: RunFolder) -> None:
    """Go on from a checkpoint that Ray Tune gives: the trial's last one, or a donor's."""
    step = read_json(source / "progress.json")["step"]
    with replacing_folder(folder.checkpoints) as beside:
        shutil.copytree(source, beside / folder_name(step))
    folder.publish()
