"""What this process does on Ctrl-C and SIGTERM, which Ray changes and does not put back."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def keeping(number: signal.Signals) -> Iterator[None]:
    """Put back, when the block ends, what this process does on a signal."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)
