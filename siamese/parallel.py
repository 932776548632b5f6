"""Work on all cores at once, in threads: numpy lets go of the interpreter while it computes."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

# The number of threads of the linear algebra is one setting for the whole process.
_limiting = threading.Lock()


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

    The linear algebra within has one thread for each item: more would wait for each other.

    Args:
        work: called by several threads at once.
        items: one alone is worked on in the thread that calls.
    """
    if len(items) == 1 or cores() == 1:
        yield from map(work, items)
        return
    with (
        _limiting,
        _linear_algebra().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(cores(), "in_threads") as pool,
    ):
        yield from pool.map(work, items)


@cache
def _linear_algebra() -> "ThreadpoolController":
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
