"""Hands the trials of a sweep to Ray Tune, and keeps what it reports of them."""

from collections.abc import Callable
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Experiment, Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler
from ray.tune.search import SearchAlgorithm

from distributed.sweep.search import Search
from distributed.sweep.trial_log import FAILED, TrialLog, in_order
from distributed.sweep.trials import Trials
from siamese.errors import FullDiskError

# A trial whose process dies is tried again so many times.
RETRIES = 2


class TrialQueue(SearchAlgorithm):
    """Gives Ray Tune one trial after another: first those of a killed sweep that had begun.

    Args:
        trials: what is known of the trials so far; new ones are added.
        search: suggests settings.
        scheduler: is given again what was reported to it before the sweep was killed.
        most: trials at a time; None: as many as fit.
    """

    def __init__(
        self, trials: Trials, search: Search, scheduler: TrialScheduler, most: int | None
    ) -> None:
        self._trials = trials
        self._search = search
        self._scheduler = scheduler
        self._most = most
        self._waiting: list[Trial] = []
        self._live: set[str] = set()
        self._spec: dict[str, Any] = {}
        self._is_over = False

    def add_configurations(self, experiments: list[Experiment]) -> None:  # type: ignore[override]
        """Called by Ray Tune once, when it can make trials."""
        self._spec = experiments[0].spec
        logs = sorted(self._trials.logs.items())
        trials = {number: self._trial(log) for number, log in logs}
        for number, log in logs:
            self._search.replay(number, log.draws)
        self._replay(trials)
        self._waiting = [trials[log.number] for log in self._trials.running()]

    def _replay(self, trials: dict[int, Trial]) -> None:
        """Report to the search and the scheduler what they knew when the sweep was killed."""
        # Those that compare trials by what they reported, and need no more for it.
        if isinstance(self._scheduler, AsyncHyperBandScheduler | MedianStoppingRule):
            scheduler: Any = self._scheduler
            for trial in trials.values():
                scheduler.on_trial_add(None, trial)
            for number, evaluation in in_order(self._trials.logs):
                decision = scheduler.on_trial_result(None, trials[number], dict(evaluation))
                if decision == TrialScheduler.STOP:
                    self._trials.stop(self._trials.logs[number])
        for log in self._trials.ended():
            self._search.ended(log.number, self._trials.value(log))

    def _trial(self, log: TrialLog) -> Trial:
        return Trial(
            self._spec["run"],
            config={"settings": log.settings},
            trial_id=log.name,
            storage=self._spec["storage"],
            checkpoint_config=self._spec["checkpoint_config"],
            max_failures=RETRIES,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        )

    def next_trial(self) -> Trial | None:
        """Return the next trial, or None if there is none now."""
        if self._most is not None and len(self._live) >= self._most:
            return None
        if self._waiting:
            trial = self._waiting.pop(0)
        elif (number := len(self._trials.logs)) < self._search.trials:
            settings = self._search.suggest(number)
            trial = self._trial(self._trials.begin(settings, self._search.draws(number)))
        else:
            return None
        self._live.add(trial.trial_id)
        return trial

    def set_finished(self) -> None:
        """Called by Ray Tune when no other trial is wanted."""
        self._is_over = True

    def is_finished(self) -> bool:
        """Say whether there is no other trial to come."""
        all_begun = not self._waiting and len(self._trials.logs) >= self._search.trials
        return self._is_over or all_begun

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Called by Ray Tune when a trial has ended."""
        self._live.discard(trial_id)
        log = self._trials.logs[int(trial_id)]
        self._search.ended(log.number, None if error else self._trials.value(log))


class Watcher(Callback):
    """Keeps what Ray Tune reports of the trials, and shows it.

    Args:
        trials: kept up to date.
        show: is called with a trial whenever there is news of it.
    """

    def __init__(self, trials: Trials, show: Callable[[TrialLog], None]) -> None:
        self._trials = trials
        self._show = show

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Show that a process for it was started."""
        self._show(self._log(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        """Keep an evaluation, or a user's mistake.

        Raises:
            FullDiskError: what stopped the trial would stop the others: it can go on later.
        """
        log = self._log(trial)
        if result.get("ends_sweep"):
            raise FullDiskError(f"trial {log.number}: {result['error']}")
        if error := result.get("error"):
            self._trials.end(log, FAILED, error)
        elif evaluation := result.get("evaluation"):
            self._trials.evaluated(log, evaluation)
            if result.get("done"):
                self._trials.stop(log)
        self._show(log)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Keep that it has ended, of its own or because the scheduler stopped it."""
        log = self._log(trial)
        self._trials.end(log)
        self._show(log)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Keep that its process died once more than it may."""
        log = self._log(trial)
        error = trial.get_error() or "its process died"
        self._trials.end(log, FAILED, str(error).strip().splitlines()[-1])
        self._show(log)

    def _log(self, trial: Trial) -> TrialLog:
        log = self._trials.logs[int(trial.trial_id)]
        self._trials.change(log, trial.config["settings"])
        return log


def _name(trial: Trial) -> str:
    return trial.trial_id
