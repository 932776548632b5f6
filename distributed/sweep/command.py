"""`siamese tune`: data, development pairs, a recipe and a space -> the best recipe and model."""

from dataclasses import dataclass, replace
from typing import Any

from distributed.sweep.folder import SweepFolder
from distributed.sweep.refit import refit
from distributed.sweep.results import best_recipe, write_results
from distributed.sweep.run_trials import run_trials
from distributed.sweep.search import make_search
from distributed.sweep.shared import Shared
from distributed.sweep.sweep import Sweep, check_sweep
from distributed.sweep.trial_log import FAILED
from distributed.sweep.trials import Trials
from siamese.config.metrics import metric_of
from siamese.data.in_memory import pairs_of
from siamese.errors import RunError, UserError
from siamese.storage.checkpoints import step_of
from siamese.storage.filesystem import absolute
from siamese.storage.ownership import owning
from siamese.storage.run_folder import Existing
from siamese.training.batches import NO_TEACHER
from siamese.training.checkpoint import newest_checkpoint
from siamese.training.execution import Execution
from siamese.training.preparation import print_data, read_data
from siamese.training.run_folder import RunFolder

_OPTIONS = ("--workers-per-trial", "--trial-cpus", "--trial-gpus")


@dataclass(frozen=True)
class Afterwards:
    """Says what follows when the best trial is known.

    Attributes:
        test: pairs to judge its model on, once, as in `siamese.train`.
        refit_workers: train its recipe once more in full with so many workers; None: do not.
    """

    test: Any = None
    refit_workers: tuple[int, int] | None = None


def tune(
    data: str,
    dev: Any,
    run: str,
    sweep: Sweep,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    afterwards: Afterwards | None = None,
) -> str:
    """Search; everything is checked before the sweep's folder is touched.

    Args:
        data: a data set that `siamese shard` wrote; a path or URI.
        dev: development pairs, as in `siamese.train`, which pick each trial's epoch and the best
            trial.
        run: the sweep's folder; a path or URI.
        sweep: what to search and how.
        existing: what to do with a folder that is there.
        execution: of each trial, as `trial_execution` makes it.
        afterwards: what follows.

    Returns:
        Where the best model is, a path or URI.

    Raises:
        UserError: the data, the pairs, the space, the folder or the cluster cannot be used.
        RunError: every trial failed.
        KeyboardInterrupt: it was interrupted.
    """
    with owning(run, resumes=existing == "resume"):
        return _tune(
            data, dev, run, sweep, existing, execution or Execution(), afterwards or Afterwards()
        )


def _tune(
    data: str,
    dev: str,
    run: str,
    sweep: Sweep,
    existing: Existing,
    execution: Execution,
    afterwards: Afterwards,
) -> str:
    """Search in a folder that this process owns."""
    if sweep.recipe.uses_teacher:
        raise UserError(NO_TEACHER)
    folder = SweepFolder(run)
    folder.check(existing)
    higher = metric_of(sweep.metric).higher_is_better
    search = make_search(sweep.search, sweep.space, sweep.trials, sweep.seed, higher)
    test_pairs = pairs_of(afterwards.test) if afterwards.test else None
    pairs = pairs_of(dev)
    groups, summary = read_data(data, pairs, sweep.recipe)
    check_sweep(sweep, execution, groups, pairs)
    asked = sweep.asked(execution, summary["hash"])
    if existing == "resume":
        folder.check_same(asked)
    notes = _connect(execution, data, run)
    if sweep.initial:
        summary |= sweep.initial.origin
    print_data(summary, sweep.recipe)
    _announce(sweep, search.trials, notes)
    if existing != "resume":
        folder.start(asked, sweep.recipe, fresh=existing == "fresh")
    trials = Trials(folder, sweep.metric, sweep.epochs)
    if existing == "resume":
        _catch_up(trials)
        print(f"{len(trials.ended())} trials have ended already, {len(trials.running())} go on")
    shared = Shared(sweep.recipe, absolute(data), pairs, summary, folder.inner("trials"), execution)
    run_trials(trials, search, sweep, shared)
    folder.clean()
    _check_ended(trials, search.trials)
    winner = write_results(trials, sweep, test_pairs)
    if afterwards.refit_workers is not None:
        best = best_recipe(sweep.recipe, winner)
        refit(folder, data, dev, best, afterwards.refit_workers, existing, sweep.initial)
    return folder.inner("best")


def _connect(execution: Execution, data: str, run: str) -> list[str]:
    """Connect to Ray, and check that a trial fits; notes for the log."""
    from distributed.cluster.connect import connect
    from distributed.cluster.preflight import Request, preflight

    connect(execution.verbose)
    workers = max(execution.workers[1], 1)
    request = Request(replace(execution, workers=(workers, workers)), _OPTIONS)
    return preflight(request, read=[data], run=run)


def _announce(sweep: Sweep, trials: int, notes: list[str]) -> None:
    aim = "maximises" if metric_of(sweep.metric).higher_is_better else "minimises"
    print(
        f"{trials} trials of at most {sweep.recipe.training.epochs} epochs; search "
        f"{sweep.search}, scheduler {sweep.scheduler}; {aim} {sweep.metric}"
    )
    for note in notes:
        print(note, flush=True)


def _catch_up(trials: Trials) -> None:
    """Keep the epochs that trials completed just before the driver was killed."""
    for log in trials.running():
        run = RunFolder.open(trials.folder.inner(f"trials/{log.name}"))
        newest = newest_checkpoint(run.checkpoints, print)
        step = step_of(newest) if newest else -1
        known = max((each["step"] for each in log.evaluations), default=0)
        for line in run.read_log():
            if line["event"] == "evaluation" and known < line["step"] <= step:
                trials.evaluated(log, line, at=trials.seconds_before)


def _check_ended(trials: Trials, count: int) -> None:
    """Check that all trials have ended, and that one of them did not fail.

    Raises:
        RunError: all failed.
        KeyboardInterrupt: some have not ended.
    """
    if not trials.ranked():
        first = min(log.number for log in trials.logs.values() if log.status == FAILED)
        error = trials.logs[first].error
        raise RunError(f"all {len(trials.logs)} trials failed, the first one with: {error}")
    if trials.running() or len(trials.logs) < count:
        raise KeyboardInterrupt
