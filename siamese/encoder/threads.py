"""Work on all cores at once, in threads: numpy lets go of the interpreter while it computes."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many threads to work with: `OMP_NUM_THREADS` (Ray sets it), or all cores there are."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """The results of `work` on each item, in order.

    The linear algebra within has one thread for each item: more would wait for each other, and may
    sum up in another order.

    Args:
        work: called by several threads at once.
        items: one alone is worked on in the thread that calls.
    """
    with _linear_algebra.held_to_one():
        if len(items) == 1 or cores() == 1:
            yield from map(work, items)
            return
        with ThreadPoolExecutor(cores(), "in_threads") as pool:
            yield from pool.map(work, items)


class _LinearAlgebra:
    """The threads of the linear algebra: one setting for the process, whoever may work in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: Any = None
        self._limits: Any = None

    @contextmanager
    def held_to_one(self) -> Iterator[None]:
        """One thread a call, until the last one that wanted it has left."""
        with self._lock:
            if not self._users:
                if self._controller is None:
                    from threadpoolctl import ThreadpoolController

                    self._controller = ThreadpoolController()
                self._limits = self._controller.limit(limits=1, user_api="blas")
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._limits.restore_original_limits()


_linear_algebra = _LinearAlgebra()
