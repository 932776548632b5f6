"""What a sweep is asked for, and whether its trials could run."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import ValidationError

from distributed.sweep.choices import SchedulerName, SearchName
from siamese.config.loading import with_settings
from siamese.config.recipe import Recipe
from siamese.config.search_space import Space, in_words
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.errors import UserError
from siamese.training.execution import Execution
from siamese.training.initial_model import InitialModel
from siamese.training.preparation import check_steps, prepare
from siamese.training.shares import check_shares

# The settings that say how many steps a run has, and how many it needs.
_SET_THE_STEPS = (
    "optimizer.warmup_steps",
    "training.epochs",
    "sampling.batch_groups",
    "sampling.method",
)


@dataclass(frozen=True)
class Sweep:
    """Says what a sweep searches and how; a resumed one keeps all but the number of trials.

    Attributes:
        recipe: the settings that are not searched; its `evaluation.metric` ranks the trials.
        space: the ranges of the others.
        trials: how many; None: 16, or with a grid all.
        search: how settings are suggested.
        scheduler: which trials go on; see `distributed.sweep.schedulers`.
        seed: of the search.
        max_concurrent: trials at a time; None: as many as fit.
        initial: the model that all trials go on from; None: they begin from nothing.
    """

    recipe: Recipe
    space: Space
    trials: int | None = None
    search: SearchName = "random"
    scheduler: SchedulerName = "asha"
    seed: int = 1
    max_concurrent: int | None = None
    initial: InitialModel | None = None

    @property
    def metric(self) -> str:
        """Return the key of the metric that ranks the trials."""
        return self.recipe.evaluation.metric

    @property
    def epochs(self) -> int:
        """Count the epochs of the longest trial that is not stopped."""
        key = "training.epochs"
        ends = self.space.ranges[key].ends() if key in self.space.ranges else []
        return max([self.recipe.training.epochs, *map(int, ends)])

    def asked(self, execution: Execution, data_hash: str) -> dict[str, Any]:
        """List what a resumed sweep must ask for again, as `sweep.json` has it."""
        ranges = {
            key: {"kind": type(values).__name__.lower(), **_listed(asdict(values))}
            for key, values in self.space.ranges.items()
        }
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "space": ranges,
            "search": self.search,
            "scheduler": self.scheduler,
            "seed": self.seed,
            "workers_per_trial": execution.workers[1],
            "data": data_hash,
            **(self.initial.origin if self.initial else {}),
        }


def trial_execution(execution: Execution) -> Execution:
    """Say how each trial is carried out: by several workers, or in its own process.

    Args:
        execution: with `workers` of each trial; one worker is the trial's own process.
    """
    workers = execution.workers if execution.workers[1] > 1 else (0, 0)
    return replace(
        execution,
        workers=workers,
        # Population based training clones the checkpoints of whole epochs.
        checkpoint_steps=execution.checkpoint_steps if workers[1] else None,
        max_failures=2,
    )


def check_sweep(
    sweep: Sweep, execution: Execution, groups: TrainingData, pairs: list[Pair]
) -> None:
    """Refuse what no trial, or not every trial, could do.

    Args:
        sweep: what is asked for.
        execution: of each trial.
        groups: to train on.
        pairs: development pairs.

    Raises:
        UserError: names every problem.
    """
    if sweep.scheduler == "pbt" and execution.workers[1]:
        raise UserError(
            "--scheduler pbt clones trials of one process: leave --workers-per-trial out."
        )
    if sweep.scheduler == "pbt" and sweep.max_concurrent:
        raise UserError(
            "--max-concurrent with --scheduler pbt: a population takes turns on the CPUs that are "
            "there. Leave it out; --trial-cpus says how many fit."
        )
    problems: dict[str, None] = {}
    for recipe in _recipes_at_the_ends(sweep):
        try:
            check_shares(recipe, (execution.workers[1] and 1, execution.workers[1]))
            prepare(recipe, groups, pairs, vectors=False, initial=sweep.initial)
        except UserError as error:
            problems[str(error)] = None
    problems |= dict.fromkeys(_steps_that_do_not_fit(sweep, execution, groups))
    if problems:
        raise UserError("some trials could not run:\n" + "\n".join(f"  {p}" for p in problems))


def _recipes_at_the_ends(sweep: Sweep) -> Iterator[Recipe]:
    """Yield the recipe, and those with one setting at an end of its range."""
    for settings in ({}, *sweep.space.ends()):
        try:
            yield with_settings(sweep.recipe, settings)
        except ValidationError:
            continue  # with the recipe's own other settings; the space itself was checked


def _steps_that_do_not_fit(
    sweep: Sweep, execution: Execution, groups: TrainingData
) -> Iterator[str]:
    """Say which combination of settings has too few steps, and which batch cannot be shared."""
    for settings in sweep.space.corners(_SET_THE_STEPS):
        try:
            check_steps(with_settings(sweep.recipe, settings), groups)
        except ValidationError:
            continue
        except UserError as error:
            chosen = f"with {in_words(settings)}: " if len(settings) > 1 else ""
            yield f"{chosen}{error}"
            break
    sizes = sweep.space.ranges.get("sampling.batch_groups")
    for size in (sizes.grid() or []) if sizes and execution.workers[1] else []:
        sampling = sweep.recipe.sampling.model_copy(update={"batch_groups": size})
        try:
            check_shares(
                sweep.recipe.model_copy(update={"sampling": sampling}), (1, execution.workers[1])
            )
        except UserError as error:
            yield str(error)
            break


def _listed(value: Any) -> Any:
    """Put lists in the place of tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: _listed(each) for key, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value
