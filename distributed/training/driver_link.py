"""What the workers of a run report to the process that started it."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import ray

from siamese.errors import UserError
from siamese.progress import progress

# Seconds between two looks at what the workers have reported.
POLL_EVERY = 0.5
# Seconds without a report from any worker, after which a line says so.
SILENCE = 60.0


@ray.remote(num_cpus=0)
class Monitor:
    """Keeps what the workers report until it is asked for. Lives on the node of the driver."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Any]] = []
        self._mistake: UserError | None = None
        self._attempts = 0
        self._copied_at = -math.inf
        self._room = 0
        self._waiting = self._grows = False

    def report(self, kind: str, value: Any = None) -> None:
        """Keep an event.

        `line` (text), `start` (title, total, unit), `advance` (n, note), `end`, `evaluation` (its
        figures), `heartbeat` or `copied` (a part of a file, to or from a run at a URI).
        """
        if kind == "copied":
            self._copied_at = time.monotonic()
        self._events.append((kind, value))

    def take(self) -> list[tuple[str, Any]]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def seconds_since_copied(self) -> float:
        """Say how long ago a worker copied a part of a file: the others wait for it meanwhile."""
        return time.monotonic() - self._copied_at

    def begin(self) -> int:
        """Count an attempt of the workers to run; the number of attempts, growing left out."""
        self._attempts += not self._grows
        self._grows = False
        return self._attempts

    def offer(self, workers: int) -> bool:
        """Note how many workers there is room for.

        Args:
            workers: more than run; 0: there is no room for more.

        Returns:
            Whether those that run wait for it: they are then to be started again.
        """
        self._room = workers
        grows = self._waiting and workers > 0
        self._waiting = False  # until they ask again
        self._grows |= grows
        return grows

    def wait_for_more(self) -> int:
        """Note that the workers wait to be started again with more, if there is room for more.

        Returns:
            How many there is room for; 0: go on.
        """
        self._waiting = self._room > 0
        return self._room

    def set_mistake(self, error: UserError) -> None:
        """Keep a user's mistake: to start again would not fix it."""
        self._mistake = self._mistake or error

    def mistake(self) -> UserError | None:
        """Return the mistake, if there is one."""
        return self._mistake


class Follower:
    """Shows what the workers report, while the driver waits: a context manager.

    Args:
        monitor: the handle of a `Monitor`.
        patience: seconds without a report after which this process gets a SIGINT.
        report: is given each evaluation.

    Attributes:
        gave_up: whether it has come to that.
        error: why it can follow no longer; this process gets a SIGINT then too.
    """

    def __init__(
        self, monitor: Any, patience: float, report: Callable[[dict[str, Any]], None]
    ) -> None:
        self._monitor = monitor
        self._patience = patience
        self._report = report
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._bar = ExitStack()
        self._advance: Any = None
        self._last_report = self._last_notice = time.monotonic()
        self.gave_up = False
        self.error: BaseException | None = None

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(timeout=10)
        try:
            if self.error is None:
                with suppress(ray.exceptions.RayError):
                    self._show()
        finally:
            self._bar.close()

    def _follow(self) -> None:
        try:
            while not (self._done.wait(POLL_EVERY) or self.gave_up):
                with suppress(ray.exceptions.GetTimeoutError):  # a busy node
                    self._show()
                self.gave_up = time.monotonic() - self._last_report > self._patience
        except BaseException as error:  # raised again where the driver waits
            self.error = error
        if self.gave_up or self.error:
            os.kill(os.getpid(), signal.SIGINT)  # Ray's way to end what the driver waits for

    def _show(self) -> None:
        events = ray.get(self._monitor.take.remote(), timeout=30)
        now = time.monotonic()
        if events:
            self._last_report = self._last_notice = now
        elif now - self._last_notice > SILENCE:
            self._last_notice = now
            print(
                f"no sign of life from the workers for {now - self._last_report:.0f} s: they "
                "start, wait for nodes (`ray status` shows them), or hang",
                flush=True,
            )
        for kind, value in events:
            if kind == "line":
                print(value, flush=True)
            elif kind == "evaluation":
                self._report(value)
            elif kind == "start":
                self._bar.close()  # of workers that were lost in the middle of an epoch
                self._advance = self._bar.enter_context(progress(*value))
            elif kind == "advance" and self._advance:
                self._advance(*value)
            elif kind == "end":
                self._bar.close()


class Reporter:
    """Sends a worker's progress to the monitor, now and then and not at every step.

    Args:
        monitor: the handle of a `Monitor`.
        stall_seconds: without progress, after which somebody gives up.
    """

    def __init__(self, monitor: Any, stall_seconds: float = math.inf) -> None:
        self._monitor = monitor
        self._every = min(SILENCE / 6, stall_seconds / 4)
        self._copied_at = -math.inf
        self._units = 0
        self._note = ""
        self._sent = 0.0

    def line(self, text: str) -> None:
        """Have a line printed."""
        self._monitor.report.remote("line", text)

    def evaluation(self, evaluation: dict[str, Any]) -> None:
        """Report an evaluation."""
        self._monitor.report.remote("evaluation", evaluation)

    def start(self, what: str, total: int, unit: str) -> None:
        """Begin a piece of work, as `siamese.progress.progress` does."""
        self._units, self._sent = 0, time.monotonic()
        self._monitor.report.remote("start", (what, total, unit))

    def advance(self, n: int, note: str = "") -> None:
        """Report so many units more, now and then."""
        self._units += n
        self._note = note
        if time.monotonic() - self._sent >= POLL_EVERY:
            self._send_units()

    def _send_units(self) -> None:
        self._monitor.report.remote("advance", (self._units, self._note))
        self._units, self._sent = 0, time.monotonic()

    def room(self) -> int:
        """Ask whether the workers are to wait to be started again: as how many, or 0."""
        room: int = ray.get(self._monitor.wait_for_more.remote(), timeout=60)
        return room

    def check(self) -> None:
        """Raise `RayError` if the monitor is gone, and so the driver."""
        ray.get(self._monitor.mistake.remote(), timeout=60)

    def heartbeat(self) -> None:
        """Report now and then that the worker makes progress."""
        if time.monotonic() - self._sent >= self._every:
            self._monitor.report.remote("heartbeat")
            self._sent = time.monotonic()

    def copied(self) -> None:
        """Report now and then that a part of a file has been copied."""
        if time.monotonic() - self._copied_at >= self._every:
            self._monitor.report.remote("copied")
            self._copied_at = time.monotonic()

    def end(self) -> None:
        """End the piece of work; what was not reported yet comes first: a notebook's bar stays."""
        if self._units:
            self._send_units()
        self._monitor.report.remote("end")
