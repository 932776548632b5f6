"""Hands the trials of a sweep to Ray Tune, and keeps what it hears of them."""

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Experiment, Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler
from ray.tune.search import SearchAlgorithm

from distributed.sweep.folder import SweepFolder
from distributed.sweep.search import Search
from distributed.sweep.trial_log import FAILED, FINISHED, TrialLog, in_order, status_at_stop

# A trial whose process dies is tried again so many times.
RETRIES = 2


class TrialQueue(SearchAlgorithm):
    """Gives Ray Tune one trial after another: first those of a killed sweep that had begun.

    Args:
        folder: of the sweep.
        logs: what is known of the trials so far, by number; new ones are added.
        search: suggests settings.
        scheduler: is told again what it was told before the sweep was killed.
        metric: of an evaluation, to maximise.
        epochs: of a trial that is not stopped.
        most: trials at a time; None: as many as fit.
    """

    def __init__(
        self,
        folder: SweepFolder,
        logs: dict[int, TrialLog],
        search: Search,
        scheduler: TrialScheduler,
        metric: str,
        epochs: int,
        most: int | None,
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._search = search
        self._scheduler = scheduler
        self._metric_name = metric
        self._epochs = epochs
        self._most = most
        self._waiting: list[Trial] = []
        self._live: set[str] = set()
        self._spec: dict[str, Any] = {}

    def add_configurations(self, experiments: list[Experiment]) -> None:  # type: ignore[override]
        """Called by Ray Tune once, when it can make trials."""
        self._spec = experiments[0].spec
        trials = {number: self._trial(log) for number, log in sorted(self._logs.items())}
        for number, log in sorted(self._logs.items()):
            self._search.replay(number, log.draws)
        self._replay(trials)
        self._waiting = [
            trials[number] for number, log in sorted(self._logs.items()) if log.status == "running"
        ]

    def _replay(self, trials: dict[int, Trial]) -> None:
        """Tell the search and the scheduler what they knew when the sweep was killed."""
        # Those that compare trials by what they reported, and need no more for it.
        if isinstance(self._scheduler, AsyncHyperBandScheduler | MedianStoppingRule):
            scheduler: Any = self._scheduler
            for trial in trials.values():
                scheduler.on_trial_add(None, trial)
            for number, evaluation in in_order(self._logs):
                decision = scheduler.on_trial_result(None, trials[number], dict(evaluation))
                log = self._logs[number]
                if decision == TrialScheduler.STOP and log.status == "running":
                    end_trial(self._folder, log, status_at_stop(log, self._epochs))
        for number, log in sorted(self._logs.items()):
            if log.status != "running":
                self._search.tell(number, self._value(log))

    def _value(self, log: TrialLog) -> float | None:
        best = log.best(self._metric_name)
        return None if best is None or log.status == FAILED else best[self._metric_name]

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
        """The next trial, or None if there is none now."""
        if self._most is not None and len(self._live) >= self._most:
            return None
        if self._waiting:
            trial = self._waiting.pop(0)
        elif (number := len(self._logs)) < self._search.trials:
            log = TrialLog(number, self._search.suggest(number), self._search.draws(number))
            self._logs[number] = log
            self._folder.log("start", number, settings=log.settings, draws=log.draws)
            trial = self._trial(log)
        else:
            return None
        self._live.add(trial.trial_id)
        return trial

    def is_finished(self) -> bool:
        """Whether there is no other trial to come."""
        return self._finished or (not self._waiting and len(self._logs) >= self._search.trials)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Called by Ray Tune when a trial has ended."""
        self._live.discard(trial_id)
        log = self._logs[int(trial_id)]
        self._search.tell(log.number, None if error else self._value(log))


class Watcher(Callback):
    """Keeps what Ray Tune tells of the trials in the sweep's events, and shows it.

    Args:
        folder: of the sweep.
        logs: what is known of the trials; kept up to date.
        epochs: of a trial that is not stopped.
        show: is called with a trial whenever there is news of it.
    """

    def __init__(
        self,
        folder: SweepFolder,
        logs: dict[int, TrialLog],
        epochs: int,
        show: Callable[[TrialLog], None],
    ) -> None:
        self._folder = folder
        self._logs = logs
        self._epochs = epochs
        self._show = show
        # Seconds that the sweep had taken when it was killed.
        before = max((each["at"] for _, each in in_order(logs)), default=0.0)
        self._before = before - time.monotonic()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """A process for it was started."""
        self._show(self._log(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        """An epoch was evaluated, or a user's mistake met."""
        log = self._log(trial)
        if error := result.get("error"):
            end_trial(self._folder, log, FAILED, error)
        elif evaluation := result.get("evaluation"):
            hear(self._folder, self._logs, log, evaluation, self._before + time.monotonic())
            if result.get("done"):
                end_trial(self._folder, log, status_at_stop(log, self._epochs))
        self._show(log)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """It has ended, of its own or because the scheduler stopped it."""
        log = self._log(trial)
        if log.status == "running":
            end_trial(self._folder, log, FINISHED)
        self._show(log)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Its process died once more than it may."""
        log = self._log(trial)
        error = trial.get_error() or "its process died"
        end_trial(self._folder, log, FAILED, str(error).strip().splitlines()[-1])
        self._show(log)

    def _log(self, trial: Trial) -> TrialLog:
        log = self._logs[int(trial.trial_id)]
        settings = trial.config["settings"]
        if settings != log.settings:  # those of a donor, changed a little
            self._folder.log("start", log.number, settings=settings, draws=log.draws)
            log.settings = settings
        return log


def hear(
    folder: SweepFolder,
    logs: dict[int, TrialLog],
    log: TrialLog,
    evaluation: dict[str, Any],
    at: float,
) -> None:
    """Log an evaluation of a trial, `at` so many seconds of the sweep."""
    heard = sum(len(each.evaluations) for each in logs.values())
    figures = {**evaluation, "at": round(at, 2), "heard": heard}
    folder.log("evaluation", log.number, figures=figures)
    log.evaluations.append(figures)


def end_trial(folder: SweepFolder, log: TrialLog, status: str, error: str = "") -> None:
    """Log the end of a trial."""
    log.status, log.error = status, error
    folder.log("end", log.number, status=status, error=error)


def _name(trial: Trial) -> str:
    return trial.trial_id
