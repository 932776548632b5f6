"""When an elastic run grows: at a checkpoint, once there has been room for more workers a while."""

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import ray

from distributed.cluster.capacity import Resources, alive_nodes, fit_free

# Seconds for which there must be room before a run grows for the first time.
STEADY = 60.0


class Growth:
    """Decides with how many workers an elastic run starts, and when it starts again with more.

    Room that has been there for `steady` seconds is offered to the workers, who wait at their next
    checkpoint to be started again, so that no step is lost. Each time the next growth needs room
    for twice as long: a node that comes and goes costs a run of T seconds log2(T / steady) starts
    at most.

    Args:
        monitor: the handle of the run's `Monitor`.
        need: what each worker needs.
        counts: the numbers of workers that the run may have.
        steady: seconds for which there must be room before the first growth.
    """

    def __init__(
        self, monitor: Any, need: Resources, counts: Sequence[int], steady: float = STEADY
    ) -> None:
        self._monitor = monitor
        self._need = need
        self._counts = counts
        self._steady = steady
        self._since: float | None = None  # when there was room first

    def fitting(self, possible: int) -> int:
        """Return the largest number of workers that the run may have of so many; or 0."""
        return max((count for count in self._counts if count <= possible), default=0)

    def larger(self, running: int) -> int:
        """Return with how many workers to start again now; 0: let them run.

        Called about once a second while they run.

        Args:
            running: how many there are.
        """
        room = self.fitting(running + fit_free(alive_nodes(), self._need))
        now = time.monotonic()
        if room <= running:
            room, self._since = 0, None
        elif self._since is None:
            self._since = now
        steady = self._since is not None and now - self._since >= self._steady
        waiting = False
        with suppress(ray.exceptions.RayError):  # busy; or gone, and the driver with it
            waiting = ray.get(self._monitor.offer.remote(room if steady else 0), timeout=5)
        if not waiting:
            return 0
        self._since = None
        self._steady *= 2
        return room
