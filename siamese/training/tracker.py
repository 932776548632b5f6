"""What a tracker is."""

from collections.abc import Mapping
from typing import Protocol

from siamese.config.recipe import Recipe
from siamese.training.run_folder import RunFolder


class Tracker(Protocol):
    """Takes the figures of a run as they come.

    A file in `trackers/` has a function `build()`, which makes its tracker: in the process that
    starts the run, so that what is missing there is reported before any work. From Python an object
    of a user's own does as well. It goes to the first worker, the only one that tracks, so it must
    pickle; connections are opened by `start`. The figures are those of `metrics.jsonl`.

    Example:
        >>> class Printed:
        ...     def start(self, run, recipe, step):
        ...         print(f"{run.location} from step {step}")
        ...
        ...     def log(self, event, values, step):
        ...         print(step, event, values)
        ...
        ...     def close(self, finished):
        ...         print("finished" if finished else "stopped")
    """

    def start(self, run: RunFolder, recipe: Recipe, step: int) -> None:
        """Begin, or go on with, the tracking of a run.

        Args:
            run: the run folder; holds what the tracker needs to go on later.
            recipe: every setting.
            step: 0, or the step that a stopped run goes on from. Figures of later steps may have
                been logged before it stopped; they will be logged again.
        """

    def log(self, event: str, values: Mapping[str, float], step: int) -> None:
        """Take figures.

        Args:
            event: `train` (a few times an epoch) or `evaluation` (once an epoch).
            values: by name, such as `loss`.
            step: that they belong to, from 1; rises within an event.
        """

    def close(self, finished: bool) -> None:
        """End.

        Args:
            finished: whether the run has ended; otherwise an error stopped it, and it may go on
                later.
        """
