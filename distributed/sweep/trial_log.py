"""What is known of the trials of a sweep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from siamese.config.metrics import metric_of

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"


@dataclass
class TrialLog:
    """Holds what is known of a trial.

    Attributes:
        number: from 0.
        settings: those that were searched; with population based training the last ones.
        draws: what the search needs to suggest them again.
        evaluations: one per epoch that was reported to the driver.
        status: `running`, `finished`, `stopped` by the scheduler or `failed`.
        error: of a trial that failed.
    """

    number: int
    settings: dict[str, Any]
    draws: dict[str, Any] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    status: str = RUNNING
    error: str = ""

    @property
    def name(self) -> str:
        """Return its name: of its folder, and for Ray Tune."""
        return f"{self.number:04}"

    def best(self, metric: str) -> dict[str, Any] | None:
        """Find the evaluation with the best value of a metric, the first of several; or None."""
        return max(self.evaluations, key=lambda each: goodness(metric, each[metric]), default=None)


def goodness(metric: str, value: float) -> float:
    """Turn a value of a metric into a number of which more is better."""
    return value if metric_of(metric).higher_is_better else -value


def read_trials(events: Iterator[dict[str, Any]]) -> dict[int, TrialLog]:
    """Read from the events of a sweep what is known of each trial, by number.

    Each evaluation gets an `order`: how many were reported before it, of all trials.
    """
    trials: dict[int, TrialLog] = {}
    order = 0
    for event in events:
        number = event["trial"]
        if event["event"] == "start":
            trial = trials.setdefault(number, TrialLog(number, event["settings"]))
            trial.settings, trial.draws = event["settings"], event["draws"]
        elif event["event"] == "evaluation":
            trials[number].evaluations.append({**event["figures"], "order": order})
            order += 1
        else:
            trials[number].status, trials[number].error = event["status"], event["error"]
    return trials


def ranking(logs: Mapping[int, TrialLog], metric: str) -> list[TrialLog]:
    """Rank the trials that did not fail and have an evaluation; equal ones by number."""
    judged = [
        (-goodness(metric, best[metric]), log.number, log)
        for log in logs.values()
        if log.status != FAILED and (best := log.best(metric))
    ]
    return [log for _, _, log in sorted(judged, key=lambda each: each[:2])]


def in_order(logs: Mapping[int, TrialLog]) -> list[tuple[int, dict[str, Any]]]:
    """List the evaluations of all trials, each with its trial's number, as they were reported."""
    found = [(log.number, each) for log in logs.values() for each in log.evaluations]
    return sorted(found, key=lambda pair: pair[1]["order"])
