"""Train the best recipe of a sweep once more, in full."""

from typing import Any

import distributed
import siamese
from distributed.sweep.folder import SweepFolder
from siamese.config.recipe import Recipe
from siamese.storage.run_folder import Existing
from siamese.training.execution import Execution
from siamese.training.initial_model import InitialModel
from siamese.training.run_folder import RunFolder


def refit(
    folder: SweepFolder,
    data: str,
    dev: Any,
    recipe: Recipe,
    workers: tuple[int, int],
    existing: Existing,
    initial: InitialModel | None,
) -> None:
    """Train the best recipe in full into `refit/`.

    Args:
        folder: of the sweep.
        data: the data set.
        dev: development pairs.
        recipe: the best one.
        workers: the least and the most; (0, 0): this process.
        existing: `resume` goes on with a refit that was begun.
        initial: the model that the trials went on from.
    """
    run = folder.inner("refit")
    begun = RunFolder.open(run).recipe_file.is_file()
    print(f"refit: the best recipe in full, {workers[1] or 'no'} workers")
    train = distributed.train if workers[1] else siamese.train
    train(
        data,
        dev,
        recipe,
        run,
        init=initial.name if initial else None,
        existing="resume" if begun and existing == "resume" else "refuse",
        execution=Execution(workers=workers),
    )
    print(f"refit model: {folder.inner('refit')}/best")
