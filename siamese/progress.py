"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds between two lines in a log.
LINE_EVERY = 15.0


@contextmanager
def progress(what: str, total: int, unit: str, show: bool = True) -> Iterator[Callable[..., None]]:
    """Show how far the work is, at what rate, and how long it will take.

    Yields `advance(n, note="")`, to call after every `n` units done. On a terminal it draws a bar;
    elsewhere it prints a line every 15 seconds.

    Args:
        what: what is being done.
        total: units to do.
        unit: what the units are.
        show: whether to show anything.
    """
    if not show:
        yield lambda n, note="": None
    elif sys.stderr.isatty():
        with _bar(what, total, unit) as advance:
            yield advance
    else:
        yield _lines(what, total, unit)


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    start = time.perf_counter()
    done = 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="", note="")

        def advance(n: int, note: str = "") -> None:
            nonlocal done
            done += n
            rate = done / (time.perf_counter() - start)
            bar.update(task, advance=n, rate=f"{rate:,.0f} {unit}/s", note=note)

        yield advance


def _lines(what: str, total: int, unit: str) -> Callable[..., None]:
    start = last = time.perf_counter()
    done = 0

    def advance(n: int, note: str = "") -> None:
        nonlocal done, last
        done += n
        now = time.perf_counter()
        if now - last < LINE_EVERY:
            return
        last = now
        rate = done / (now - start)
        left = (total - done) / rate
        print(
            f"{what}: {done:,} of {total:,} {unit}, {rate:,.0f} {unit}/s, {left:,.0f} s left"
            + (f", {note}" if note else ""),
            file=sys.stderr,
            flush=True,
        )

    return advance
