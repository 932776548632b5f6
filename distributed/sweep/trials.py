"""The trials of a sweep while it runs: what happens to them is kept in the sweep's folder."""

import time
from itertools import product
from typing import Any

from distributed.sweep.folder import SweepFolder
from distributed.sweep.trial_log import (
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    TrialLog,
    in_order,
    ranking,
    read_trials,
)
from siamese.errors import UserError


class Trials:
    """Keeps what is known of all trials that have begun, those of a killed sweep included.

    Args:
        folder: of the sweep; gets a line for each thing that happens.
        metric: that the trials are ranked by.
        epochs: of a trial that is not stopped.

    Attributes:
        folder: of the sweep.
        metric: that the trials are ranked by.
        epochs: of a trial that is not stopped.
        logs: of the trials, by number.

    Raises:
        UserError: what is kept of them is damaged.
    """

    def __init__(self, folder: SweepFolder, metric: str, epochs: int) -> None:
        self.folder = folder
        self.metric = metric
        self.epochs = epochs
        self.logs = read_trials(folder.events())
        self._check_figures()
        # Seconds that the sweep had taken when it was killed.
        self.seconds_before = max((each["at"] for _, each in in_order(self.logs)), default=0.0)
        self._begun = time.monotonic()

    def _check_figures(self) -> None:
        for log in self.logs.values():
            for each, key in product(log.evaluations, (self.metric, "epoch", "step", "at")):
                if not isinstance(each.get(key), int | float):
                    raise UserError(
                        f"{self.folder.events_file}: damaged: an evaluation of trial {log.number} "
                        f"has no number `{key}`. Start the sweep afresh with --fresh."
                    )

    def running(self) -> list[TrialLog]:
        """List those that have not ended, by number."""
        return [log for _, log in sorted(self.logs.items()) if log.status == RUNNING]

    def ended(self) -> list[TrialLog]:
        """List those that have ended, by number."""
        return [log for _, log in sorted(self.logs.items()) if log.status != RUNNING]

    def ranked(self) -> list[TrialLog]:
        """List those that can be compared, the best first."""
        return ranking(self.logs, self.metric)

    def value(self, log: TrialLog) -> float | None:
        """Find the best value of the metric that a trial reached; None if it failed."""
        best = log.best(self.metric)
        return None if best is None or log.status == FAILED else best[self.metric]

    def begin(self, settings: dict[str, Any], draws: dict[str, Any]) -> TrialLog:
        """Add a trial."""
        log = TrialLog(len(self.logs), settings, draws)
        self.logs[log.number] = log
        self._log_start(log)
        return log

    def change(self, log: TrialLog, settings: dict[str, Any]) -> None:
        """Give a trial the settings of another, changed a little, if they are new."""
        if settings != log.settings:
            log.settings = settings
            self._log_start(log)

    def _log_start(self, log: TrialLog) -> None:
        self.folder.log("start", log.number, settings=log.settings, draws=log.draws)

    def evaluated(self, log: TrialLog, evaluation: dict[str, Any], at: float | None = None) -> None:
        """Keep an evaluation of a trial.

        Args:
            log: of the trial.
            evaluation: its figures.
            at: seconds of the sweep; None: now.
        """
        if at is None:
            at = self.seconds_before + time.monotonic() - self._begun
        figures = {**evaluation, "at": round(at, 2)}
        self.folder.log("evaluation", log.number, figures=figures)
        order = sum(len(each.evaluations) for each in self.logs.values())
        log.evaluations.append({**figures, "order": order})

    def end(self, log: TrialLog, status: str = FINISHED, error: str = "") -> None:
        """Keep the end of a trial, if it has not ended already."""
        if log.status == RUNNING:
            log.status, log.error = status, error
            self.folder.log("end", log.number, status=status, error=error)

    def stop(self, log: TrialLog) -> None:
        """Keep that the scheduler ended a trial: at the last epoch it has not lost any."""
        whole = log.evaluations[-1]["epoch"] >= self.epochs
        self.end(log, FINISHED if whole else STOPPED)
