"""Run the trials of a sweep with Ray Tune."""

import logging
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distributed.cluster.signals import keeping
from distributed.sweep.display import SweepDisplay
from distributed.sweep.search import Search
from distributed.sweep.shared import Shared
from distributed.sweep.sweep import Sweep
from distributed.sweep.trials import Trials
from siamese.training.execution import Execution

if TYPE_CHECKING:
    from distributed.cluster.capacity import Group, Node

# Ray Tune's own settings, unless the user has set them.
_RAY_TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",  # which prints a table of its own
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # metrics.jsonl and trackers are in the run
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial with a user's mistake reports no metric
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "0",  # the preflight has checked
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


def run_trials(trials: Trials, search: Search, sweep: Sweep, shared: Shared) -> None:
    """Run the trials that are left, and keep what comes of them in `trials`.

    Args:
        trials: those that have begun; new ones are added.
        search: suggests settings.
        sweep: what is asked for.
        shared: what the trials share.
    """
    for name, value in _RAY_TUNE.items():
        os.environ.setdefault(name, value)
    import ray
    from ray import tune
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from distributed.sweep.schedulers import make_scheduler
    from distributed.sweep.trial import Preparations
    from distributed.sweep.trial_queue import TrialQueue, Watcher

    if not shared.execution.verbose:
        logging.getLogger("ray.tune").setLevel(logging.ERROR)
        logging.getLogger("ray.train").setLevel(logging.ERROR)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    # Threads, so that it answers while it makes something.
    preparations: Any = Preparations.options(  # type: ignore[attr-defined]
        scheduling_strategy=here, max_concurrency=8
    ).remote(shared.data, shared.pairs, sweep.initial)
    scheduler = make_scheduler(
        sweep.scheduler, sweep.metric, trials.epochs, sweep.space, sweep.seed
    )
    trainable, most = _trainable(replace(shared, preparations=preparations), sweep.max_concurrent)
    display = SweepDisplay(trials, search.trials)
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=TrialQueue(trials, search, scheduler, most), scheduler=scheduler
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=trials.folder.inner(".tune"),
            callbacks=[Watcher(trials, display)],
            checkpoint_config=tune.CheckpointConfig(num_to_keep=3),
            verbose=0,
        ),
    )
    try:
        # Ray Tune leaves a handler that swallows the next Ctrl-C.
        with keeping(signal.SIGINT), display.showing():
            tuner.fit()
    finally:
        ray.kill(preparations)


def _trainable(shared: Shared, max_concurrent: int | None) -> tuple[Any, int | None]:
    """Make what Ray Tune runs for each trial, and say how many it may run at a time."""
    from ray import tune

    from distributed.cluster.capacity import addable, alive_nodes, resources_of
    from distributed.sweep.trial import run_trial

    trainable = tune.with_parameters(run_trial, shared=shared)
    if not shared.execution.workers[1]:
        return tune.with_resources(trainable, resources_of(shared.execution)), max_concurrent
    # The trial itself holds next to nothing: its workers ask for their own.
    nodes = alive_nodes()
    most = at_a_time(shared.execution, nodes, addable(nodes), max_concurrent)
    return tune.with_resources(trainable, {"CPU": 0, "memory": 1 << 20}), most


def at_a_time(
    execution: Execution, nodes: "list[Node]", groups: "list[Group]", asked: int | None
) -> int:
    """Say how many trials of several workers may run at a time.

    More would only wait for workers, each of them in a process of its own.

    Args:
        execution: of each trial.
        nodes: that are there.
        groups: of nodes that may be added.
        asked: the most that the user wants; None: as many as fit.
    """
    from distributed.cluster.capacity import fit_free, fit_groups, resources_of

    need = resources_of(execution)
    fitting = (fit_free(nodes, need) + fit_groups(groups, need)) // execution.workers[1]
    return max(min(asked or fitting, fitting), 1)
