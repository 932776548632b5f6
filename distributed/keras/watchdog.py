"""Ends a worker that makes no progress, so that Ray notices and starts the workers again.

Ray sees a worker that dies, but not one that hangs: its peers would wait in a collective for good.
"""

import faulthandler
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

# A thread of Python's cannot end a process in which something holds the interpreter's lock; one of
# faulthandler's can, so much later.
_GRACE = 20.0


class Watchdog:
    """Ends this process when `heartbeat` has not been called for so many seconds.

    Args:
        seconds: without a heartbeat.
        report: is given a sentence before the process ends.
        excused: is asked before that whether this process waits for another that makes progress.
    """

    def __init__(
        self,
        seconds: float,
        report: Callable[[str], None],
        excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._seconds = seconds
        self._report = report
        self._excused = excused
        self._done = threading.Event()
        self.heartbeat()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def heartbeat(self) -> None:
        """Say that there is progress."""
        self._last = time.monotonic()
        faulthandler.dump_traceback_later(self._seconds + _GRACE, exit=True)

    def stop(self) -> None:
        """Watch no longer."""
        self._done.set()
        faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            if time.monotonic() - self._last <= self._seconds:
                continue
            with suppress(Exception):  # nobody who could be asked, or told
                if self._excused():
                    self.heartbeat()
                    continue
                self._report(f"no progress for {self._seconds:g} s (--stall-seconds): ending it")
            faulthandler.dump_traceback()
            os._exit(1)
