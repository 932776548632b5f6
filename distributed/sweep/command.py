"""`siamese tune`: data, development pairs, a recipe and a space -> the best recipe and model."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from distributed.sweep.choices import SchedulerName, SearchName
from distributed.sweep.display import SweepDisplay
from distributed.sweep.folder import SweepFolder
from distributed.sweep.results import best_recipe, check_test, refit, write_results
from distributed.sweep.search import make_search
from distributed.sweep.trial_log import FAILED, TrialLog, ranking, read_trials
from siamese.config.recipe import Recipe, with_settings
from siamese.config.search_space import Space
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.errors import RunError, UserError
from siamese.training.checkpoint import checkpoint_folders
from siamese.training.execution import Execution, check_shares
from siamese.training.preparation import prepare, print_data, read_data
from siamese.training.run_folder import Existing, RunFolder

# Ray Tune's own settings, unless the user has set them.
_RAY_TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",  # which prints a table of its own
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # metrics.jsonl and TensorBoard are in the run
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial with a user's mistake reports no metric
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "0",  # the preflight has checked
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
_OPTIONS = ("--workers-per-trial", "--trial-cpus", "--trial-gpus")


@dataclass(frozen=True)
class Sweep:
    """What a sweep searches and how; a resumed one keeps all of it but the number of trials.

    Attributes:
        space: the ranges of the settings.
        trials: how many; None: 16, or with a grid all.
        search: how settings are suggested.
        scheduler: which trials go on; see `distributed.sweep.schedulers`.
        seed: of the search.
        max_concurrent: trials at a time; None: as many as fit.
    """

    space: Space
    trials: int | None = None
    search: SearchName = "random"
    scheduler: SchedulerName = "asha"
    seed: int = 1
    max_concurrent: int | None = None


def tune(
    data: str,
    dev: str,
    run: str,
    recipe: Recipe,
    sweep: Sweep,
    existing: Existing = "refuse",
    execution: Execution | None = None,
    test: str | None = None,
    refit_workers: tuple[int, int] | None = None,
) -> str:
    """Search; everything is checked before the sweep's folder is touched.

    Args:
        data: a data set that `siamese shard` wrote; a path or URI.
        dev: development pairs, which pick each trial's epoch and the best trial.
        run: the sweep's folder; a path or URI.
        recipe: the settings that are not searched; its `evaluation.metric` is maximised.
        sweep: what to search and how.
        existing: what to do with a folder that is there.
        execution: of each trial; `workers` (0, 0) trains in the trial's own process.
        test: pairs to judge the best trial's model on, once, when it is chosen.
        refit_workers: train the best recipe once more in full with so many workers.

    Returns:
        Where the best model is, a path or URI.

    Raises:
        UserError: the data, the pairs, the space, the folder or the cluster cannot be used.
        RunError: every trial failed.
        KeyboardInterrupt: it was interrupted.
    """
    execution = execution or Execution()
    folder = SweepFolder(run)
    folder.check(existing)
    search = make_search(sweep.search, sweep.space, sweep.trials, sweep.seed)
    test_pairs = check_test(test)
    groups, pairs, summary = read_data(data, dev, recipe)
    _check(recipe, sweep, execution, groups, pairs)
    asked = _asked(recipe, sweep, execution, summary)
    if existing == "resume":
        folder.check_same(asked)

    from distributed.cluster.connect import connect
    from distributed.cluster.preflight import Request, preflight

    connect(execution.verbose)
    workers = max(execution.workers[1], 1)
    request = Request(
        workers, workers, execution.cpus_per_worker, execution.gpus_per_worker, _OPTIONS
    )
    notes = preflight(request, read=[data], run=run)
    print_data(summary, recipe)
    print(
        f"{search.trials} trials of at most {recipe.training.epochs} epochs; search "
        f"{sweep.search}, scheduler {sweep.scheduler}; maximises {recipe.evaluation.metric}"
    )
    for note in notes:
        print(note, flush=True)
    if existing != "resume":
        folder.start(asked, recipe, fresh=existing == "fresh")
    logs = read_trials(folder.events())
    if existing == "resume":
        _catch_up(folder, logs)
        ended = sum(log.status != "running" for log in logs.values())
        print(f"{ended} trials have ended already, {len(logs) - ended} go on")

    _run(folder, logs, search, sweep, recipe, data, pairs, summary, execution)
    folder.clean()
    metric = recipe.evaluation.metric
    ranked = ranking(logs, metric)
    if not ranked:
        first = min(log.number for log in logs.values() if log.status == FAILED)
        raise RunError(f"all {len(logs)} trials failed, the first one with: {logs[first].error}")
    if any(log.status == "running" for log in logs.values()) or len(logs) < search.trials:
        raise KeyboardInterrupt
    winner = write_results(folder, logs, recipe, sweep.space, test_pairs)
    if refit_workers is not None:
        refit(folder, data, dev, best_recipe(recipe, winner), refit_workers, existing)
    return folder.inner("best")


def _check(
    recipe: Recipe,
    sweep: Sweep,
    execution: Execution,
    groups: TrainingData,
    pairs: list[Pair],
) -> None:
    """Refuse what no trial, or not every trial, could do."""
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
    for settings in ({}, *sweep.space.ends()):
        try:
            one = with_settings(recipe, settings)
            check_shares(one, (0, execution.workers[1]) if execution.workers[1] else (0, 0))
            prepare(one, groups, pairs, vectors=False)
        except ValidationError:
            continue  # with the recipe's own other settings; the space itself was checked
        except UserError as error:
            problems[str(error)] = None
    if problems:
        raise UserError("some trials could not run:\n" + "\n".join(f"  {p}" for p in problems))


def _asked(
    recipe: Recipe, sweep: Sweep, execution: Execution, summary: dict[str, Any]
) -> dict[str, Any]:
    """What a resumed sweep must ask for again."""
    ranges = {
        key: {"kind": type(values).__name__.lower(), **_listed(asdict(values))}
        for key, values in sweep.space.ranges.items()
    }
    return {
        "recipe": recipe.model_dump(mode="json"),
        "space": ranges,
        "search": sweep.search,
        "scheduler": sweep.scheduler,
        "seed": sweep.seed,
        "workers_per_trial": execution.workers[1],
        "data": summary["hash"],
    }


def _listed(value: Any) -> Any:
    """With lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {key: _listed(each) for key, each in value.items()}
    return [_listed(each) for each in value] if isinstance(value, list | tuple) else value


def _catch_up(folder: SweepFolder, logs: dict[int, TrialLog]) -> None:
    """Log the epochs that trials completed just before the driver was killed."""
    from distributed.sweep.trial_log import in_order
    from distributed.sweep.trial_queue import hear

    at = max((each["at"] for _, each in in_order(logs)), default=0.0)
    for log in logs.values():
        if log.status != "running":
            continue
        run = RunFolder.open(folder.inner(f"trials/{log.name}"))
        newest = checkpoint_folders(run.checkpoints)[-1:]
        step = int(newest[0].name.split("-")[1]) if newest else -1
        known = max((each["step"] for each in log.evaluations), default=0)
        for line in run.read_log():
            if line["event"] == "evaluation" and known < line["step"] <= step:
                hear(folder, logs, log, line, at)


def _run(
    folder: SweepFolder,
    logs: dict[int, TrialLog],
    search: Any,
    sweep: Sweep,
    recipe: Recipe,
    data: str,
    pairs: list[Pair],
    summary: dict[str, Any],
    execution: Execution,
) -> None:
    """Run the trials that are left."""
    for name, value in _RAY_TUNE.items():
        os.environ.setdefault(name, value)
    import logging

    import ray
    from ray import tune as ray_tune
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from distributed.cluster.capacity import alive_nodes, fit_free
    from distributed.sweep.schedulers import make_scheduler
    from distributed.sweep.trial import Preparations, Shared, run_trial
    from distributed.sweep.trial_queue import TrialQueue, Watcher
    from siamese.storage.filesystem import absolute

    if not execution.verbose:
        logging.getLogger("ray.tune").setLevel(logging.ERROR)
        logging.getLogger("ray.train").setLevel(logging.ERROR)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Threads, so that it answers while it makes something.
    preparations: Any = Preparations.options(  # type: ignore[attr-defined]
        scheduling_strategy=here, max_concurrency=8
    ).remote(absolute(data), pairs)
    shared = Shared(
        recipe, absolute(data), pairs, summary, folder.inner("trials"), execution, preparations
    )
    metric = recipe.evaluation.metric
    epochs = _most_epochs(recipe, sweep.space)
    scheduler = make_scheduler(sweep.scheduler, metric, epochs, sweep.space, sweep.seed)
    most = sweep.max_concurrent
    need = {"CPU": execution.cpus_per_worker}
    if execution.gpus_per_worker:
        need["GPU"] = execution.gpus_per_worker
    trainable = ray_tune.with_parameters(run_trial, shared=shared)
    if workers := execution.workers[1]:
        # The trial itself holds next to nothing: its workers ask for their own.
        most = min(most or len(pairs), max(fit_free(alive_nodes(), need) // workers, 1))
        trainable = ray_tune.with_resources(trainable, {"CPU": 0, "memory": 1 << 20})
    else:
        trainable = ray_tune.with_resources(trainable, need)
    queue = TrialQueue(folder, logs, search, scheduler, metric, epochs, most)
    display = SweepDisplay(logs, search.trials, metric, epochs)
    tuner = ray_tune.Tuner(
        trainable,
        tune_config=ray_tune.TuneConfig(search_alg=queue, scheduler=scheduler),
        run_config=ray_tune.RunConfig(
            name="trials",
            storage_path=folder.inner(".tune"),
            callbacks=[Watcher(folder, logs, epochs, display)],
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=3),
            verbose=0,
        ),
    )
    try:
        with display.showing():
            tuner.fit()
    finally:
        ray.kill(preparations)


def _most_epochs(recipe: Recipe, space: Space) -> int:
    ends: Sequence[Any] = (
        space.ranges["training.epochs"].ends() if "training.epochs" in space.ranges else ()
    )
    return max([recipe.training.epochs, *map(int, ends)])


def trial_execution(
    workers: int, cpus: float, gpus: float, gpu_memory_mb: int | None, verbose: bool
) -> Execution:
    """How each trial is carried out: several workers, or 0 for its own process."""
    workers = 0 if workers == 1 else workers
    return Execution(
        workers=(workers, workers),
        cpus_per_worker=cpus,
        gpus_per_worker=gpus,
        gpu_memory_mb=gpu_memory_mb,
        # Population based training clones the checkpoints of whole epochs.
        checkpoint_steps=500 if workers else None,
        max_failures=2,
        verbose=verbose,
    )
