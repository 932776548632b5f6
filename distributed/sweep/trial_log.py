"""What is known of the trials of a sweep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"


@dataclass
class TrialLog:
    """What is known of a trial.

    Attributes:
        number: from 0.
        settings: those that were searched; with population based training the last ones.
        draws: what the search needs to suggest them again.
        evaluations: one per epoch that the driver heard of.
        status: `running`, `finished`, `stopped` by the scheduler or `failed`.
        error: of a trial that failed.
    """

    number: int
    settings: dict[str, Any]
    draws: dict[str, Any] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    status: str = "running"
    error: str = ""

    @property
    def name(self) -> str:
        """Of its folder, and for Ray Tune."""
        return f"{self.number:04}"

    def best(self, metric: str) -> dict[str, Any] | None:
        """The evaluation with the highest value of a metric, the first of several; or None."""
        return max(self.evaluations, key=lambda each: each[metric], default=None)


def read_trials(events: Iterator[dict[str, Any]]) -> dict[int, TrialLog]:
    """What the events say of each trial, by number."""
    trials: dict[int, TrialLog] = {}
    for event in events:
        number = event["trial"]
        if event["event"] == "start":
            trial = trials.setdefault(number, TrialLog(number, event["settings"]))
            trial.settings, trial.draws = event["settings"], event["draws"]
        elif event["event"] == "evaluation":
            trials[number].evaluations.append(event["figures"])
        else:
            trials[number].status, trials[number].error = event["status"], event["error"]
    return trials


def ranking(logs: Mapping[int, TrialLog], metric: str) -> list[TrialLog]:
    """The trials that did not fail and have an evaluation, the best first; equal ones by number."""

    def value(log: TrialLog) -> float:
        best = log.best(metric)
        return best[metric] if best else float("-inf")

    judged = [log for log in logs.values() if log.evaluations and log.status != "failed"]
    return sorted(judged, key=lambda log: (-value(log), log.number))


def status_at_stop(log: TrialLog, epochs: int) -> str:
    """What to call a trial that the scheduler ended: at the last epoch it has not lost any."""
    return FINISHED if log.evaluations[-1]["epoch"] >= epochs else STOPPED


def in_order(logs: dict[int, TrialLog]) -> list[tuple[int, dict[str, Any]]]:
    """The evaluations of all trials, each with its trial's number, as the driver heard of them."""
    heard = [(log.number, each) for log in logs.values() for each in log.evaluations]
    return sorted(heard, key=lambda pair: pair[1]["heard"])
