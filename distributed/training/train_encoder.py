"""Train an encoder on Ray, in one call from Python."""

from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from threading import Thread
from typing import Any

from siamese.config.overrides import recipe_of
from siamese.config.recipe import Recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.storage.run_folder import Existing
from siamese.train_encoder import Material, parts_of, teachers_of, train_at
from siamese.training.context import print_evaluation
from siamese.training.execution import Execution, parse_workers
from siamese.training.run_folder import RunFolder
from siamese.training.training_run import TrainingRun


def train(
    groups: Any,
    dev: Any,
    recipe: Recipe | str | Path = "default",
    run: str | Path | None = None,
    *,
    init: str | Path | None = None,
    workers: int | str | tuple[int, int] | None = None,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    **options: Any,
) -> SentenceEncoder:
    """Train a sentence encoder on groups of paraphrases with Ray Train.

    `siamese.train` with workers: they compute together what one process does alone, and lost ones
    are replaced. What `siamese train --workers N` does is this call. A cluster is the one that
    `RAY_ADDRESS` names, or that runs on this machine; or one is started here for this process.

    Args:
        groups: as in `siamese.train`. Data from memory are written to `RUN/data`.
        dev: as in `siamese.train`.
        recipe: as in `siamese.train`.
        run: as in `siamese.train`. On several nodes it must be on storage that they share, or a
            URI.
        init: as in `siamese.train`; read here, so it need not be on shared storage.
        workers: how many, or at least and at most: 2, "2:4" or (2, 4). None: those of
            `execution`, or 1.
        existing: as in `siamese.train`.
        execution: how the run is carried out.
        **options: fields of `Execution`, such as `gpus_per_worker=1`, in the place of those of
            `execution`; `teacher` (every worker reads its folder), `evaluator`, `trackers` and
            settings of the recipe, as in `siamese.train`.

    Returns:
        The encoder of the best epoch.

    Raises:
        UserError: the groups, the pairs, the model, a setting, the run folder or the cluster
            cannot be used.
        RunError: the workers failed more often than they may.

    Example:
        >>> encoder = train("groups.json", "dev.tsv", workers=2, epochs=3)  # doctest: +SKIP
    """
    execution = execution or Execution(workers=(1, 1))
    names = {field.name for field in fields(Execution)} - {"workers", "trackers"}
    changes = {name: options.pop(name) for name in names & options.keys()}
    if workers is not None:
        changes["workers"] = parse_workers(workers)
    execution = replace(execution, **changes)
    if not execution.workers[1]:
        raise UserError("distributed.train needs workers. Without them, call siamese.train.")
    parts = parts_of(options.pop("evaluator", None), options.pop("trackers", None), options)
    material = Material(groups, dev, init, teachers_of(options.pop("teacher", ())))
    return train_at(OnRay(execution), material, recipe_of(recipe, options), run, existing, parts)


class OnRay:
    """Carries runs out on a Ray cluster: a `siamese.training.training_run.Place`.

    Args:
        execution: how runs are carried out.
    """

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def check(self, read: list[str], run: str) -> list[str]:
        """Connect, and check that the cluster can run what is asked."""
        import ray  # noqa: F401  # not at once by two threads

        from distributed.cluster.connect import connect
        from distributed.cluster.preflight import Request, preflight

        # While Ray's processes start, this one imports what will start the workers.
        Thread(target=_import_ray_train).start()
        connect(self.execution.verbose)
        return preflight(Request(self.execution), read=read, run=run)

    def carry_out(self, run: TrainingRun, folder: RunFolder) -> None:
        """Start the workers, and wait for them. See `Place`."""
        from distributed.training.launch_run import launch_run

        launch_run(run, print_evaluation)


def _import_ray_train() -> None:
    with suppress(Exception):  # it is raised again where it is needed
        import ray.train  # noqa: F401
