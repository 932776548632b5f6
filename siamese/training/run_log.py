"""The log of a run: figures go to `metrics.jsonl` and to the trackers."""

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from siamese.config.recipe import Recipe
from siamese.training.checkpoint import Progress
from siamese.training.context import Context
from siamese.training.tracker import Tracker


class RunLog:
    """Logs where a run stands, while a `with` block lasts. Only the first worker writes.

    Args:
        context: this worker.
        recipe: every setting.
        trackers: take the same figures as `metrics.jsonl`.
        at: where the run stands; the log follows its changes.
    """

    def __init__(
        self, context: Context, recipe: Recipe, trackers: Sequence[Tracker], at: Progress
    ) -> None:
        self._context = context
        self._recipe = recipe
        self._is_writer = context.rank == 0
        self._trackers = trackers if self._is_writer else ()
        self._at = at

    def __enter__(self) -> "RunLog":
        context, at = self._context, self._at
        if self._is_writer:
            context.run.rewind(at)
        for tracker in self._trackers:
            tracker.start(context.run, self._recipe, at.step)
        self._write(
            "start",
            {
                "workers": context.world_size,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "gpu_memory_mb": context.memory_mb,
            },
        )
        return self

    def write(self, event: str, values: Mapping[str, float]) -> None:
        """Log figures of the step that the run is at.

        Args:
            event: `train` or `evaluation`.
            values: by name.
        """
        self._write(event, values)
        for tracker in self._trackers:
            tracker.log(event, values, self._at.step)

    def __exit__(self, kind: object, *_: object) -> None:
        for tracker in self._trackers:
            tracker.close(kind is None)
        if self._is_writer and kind is None:
            self._context.run.publish()

    def _write(self, event: str, values: Mapping[str, Any]) -> None:
        if self._is_writer:
            line = {"event": event, "epoch": self._at.epoch + 1, "step": self._at.step, **values}
            self._context.run.log(line)
