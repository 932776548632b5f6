"""The laws of a tracker."""

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from siamese.config.recipe import Recipe
from siamese.testing.laws import RESUMED, SAVED, require_same
from siamese.training.run_folder import RunFolder
from siamese.training.tracker import Tracker

Make = Callable[[], Tracker]
# The run folder -> what the tracker holds of it: each figure's name and step, with its value.
Read = Callable[[RunFolder], Mapping[tuple[str, int], float]]
STEPS = 6


def check_tracker(make: Make, read: Read) -> None:
    """Check a tracker by the laws that concern it: only the first worker tracks.

    Args:
        make: makes the tracker; called often.
        read: reads back what is tracked of a run; a figure that is there twice is an error of
            this function or counts as the later one.

    Raises:
        LawBroken: names the law and the figures that differ.
    """
    resumed_equals_unbroken(make, read)
    saved_equals_loaded(make, read)


def resumed_equals_unbroken(make: Make, read: Read) -> None:
    """Require that a run which is stopped and resumed is tracked like one that was not.

    It is stopped by an error, or killed without a word, after figures that it will log again, since
    it resumes from an earlier step.

    Raises:
        LawBroken: figures are missing, or others are there.
    """
    expected = _track(make, read, [])
    for stop in range(1, STEPS):
        for resume in range(stop + 1):
            for killed in (False, True):
                found = _track(make, read, [(stop, resume, killed)])
                require_same(RESUMED, found, expected)


def saved_equals_loaded(make: Make, read: Read) -> None:
    """Require that a copy tracks the same: a tracker is sent to a worker before it starts.

    Raises:
        LawBroken: it tracks something else.
    """
    expected = _track(make, read, [])
    require_same(SAVED, _track(lambda: copy.deepcopy(make()), read, []), expected)


def _track(make: Make, read: Read, stops: Sequence[tuple[int, int, bool]]) -> dict[str, np.ndarray]:
    """Track a run, and read what is tracked.

    Args:
        make: makes the tracker.
        read: reads back what is tracked.
        stops: of each the last step, the step to resume from, and whether the run is killed.
    """
    recipe = Recipe()
    with tempfile.TemporaryDirectory(prefix="siamese-tracker-") as folder:
        run = RunFolder(Path(folder) / "run")
        run.start(recipe, {}, fresh=True)
        first = 0
        for last, resume, killed in [*stops, (STEPS, STEPS, False)]:
            tracker = make()
            tracker.start(run, recipe, first)
            for step in range(first + 1, last + 1):
                tracker.log("train", {"loss": 1 / step, "learning_rate": 0.5}, step)
                if step % 3 == 0:
                    tracker.log("evaluation", {"roc_auc": step / 10, "loss": 2 / step}, step)
            if not killed:
                tracker.close(last == STEPS)
            first = resume
        return {f"{name} at step {step}": np.array(v) for (name, step), v in read(run).items()}
