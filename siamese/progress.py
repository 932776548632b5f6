"""Progress of long work: a bar on a terminal and in a notebook, plain lines in a log."""

import html
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

# Seconds between two lines in a log.
LINE_EVERY = 15.0
# Seconds between two changes of a notebook's bar: each is a message to the browser.
REDRAW_EVERY = 0.1
# Columns of a terminal in less of which bars and tables would be cut: there are lines instead.
NARROW = 60

Advance = Callable[..., None]


@contextmanager
def progress(what: str, total: int, unit: str, show: bool = True) -> Iterator[Advance]:
    """Show how far the work is, at what rate, and how long it will take.

    Yields `advance(n, note="")`, to call after every `n` units done. On a terminal it draws a bar
    that goes away; in a notebook one bar per cell; elsewhere (also on a narrow or dumb terminal) it
    prints a line every 15 seconds.

    Args:
        what: what is being done.
        total: units to do.
        unit: what the units are.
        show: whether to show anything.
    """
    if not show:
        yield lambda n, note="": None
    elif shell := _notebook():
        yield _cell_bar(shell, what, total, unit)
    elif can_draw(sys.stderr):
        with _bar(what, total, unit) as advance:
            yield advance
    else:
        yield _lines(what, total, unit)


def can_draw(stream: TextIO) -> bool:
    """Say whether bars and tables can be drawn over and over: on a terminal that is wide enough."""
    dumb = os.environ.get("TERM", "") in ("dumb", "unknown")
    return stream.isatty() and not dumb and shutil.get_terminal_size().columns >= NARROW


class _Pace:
    """Counts the units done, and the time that they take."""

    def __init__(self, total: int, unit: str) -> None:
        self.total = total
        self.unit = unit
        self.done = 0
        self.now = self._start = time.perf_counter()

    def add(self, n: int) -> None:
        self.done += n
        self.now = time.perf_counter()

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.done / max(self.now - self._start, 1e-9)

    def __str__(self) -> str:
        left = (self.total - self.done) / self.rate if self.done else float("inf")
        return (
            f"{self.done:,} of {self.total:,} {self.unit}, {self.rate:,.0f} {self.unit}/s, "
            f"{left:,.0f} s left"
        )


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Advance]:
    """Draw a bar on the terminal."""
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
    pace = _Pace(total, unit)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="", note="")

        def advance(n: int, note: str = "") -> None:
            pace.add(n)
            bar.update(task, advance=n, rate=f"{pace.rate:,.0f} {unit}/s", note=note)

        yield advance


def _lines(what: str, total: int, unit: str) -> Advance:
    """Print a line now and then."""
    pace = _Pace(total, unit)
    last = pace.now

    def advance(n: int, note: str = "") -> None:
        nonlocal last
        pace.add(n)
        if pace.now - last >= LINE_EVERY:
            last = pace.now
            words = f"{what}: {pace}" + (f", {note}" if note else "")
            print(words, file=sys.stderr, flush=True)

    return advance


# --- notebooks

# The bar of the cell that ran last, so that all work of a cell is shown in one place.
_cell: tuple[int, Any] = (-1, None)


def _notebook() -> Any:
    """Return IPython's shell if its output goes to a notebook; otherwise None."""
    shells = sys.modules.get("IPython")  # a notebook has imported it
    shell = shells.get_ipython() if shells else None
    return shell if hasattr(shell, "kernel") else None


def _cell_bar(shell: Any, what: str, total: int, unit: str) -> Advance:
    """Draw a bar in a notebook, in the place of the cell's last one.

    Plain HTML that is sent again: rich and tqdm need the package ipywidgets on both sides, without
    which rich shows nothing and tqdm a line for each change.
    """
    global _cell
    from IPython.display import display

    pace = _Pace(total, unit)
    shown = _Cell(what, 0.0, f"of {total:,} {unit}")
    number, handle = _cell
    if number == shell.execution_count:
        handle.update(shown)
    else:
        handle = display(shown, display_id=True)
        _cell = shell.execution_count, handle
    last = pace.now

    def advance(n: int, note: str = "") -> None:
        nonlocal last
        pace.add(n)
        if pace.now - last >= REDRAW_EVERY or pace.done >= total:
            last = pace.now
            words = str(pace) + (f", {note}" if note else "")
            handle.update(_Cell(what, pace.done / max(total, 1), words))

    return advance


class _Cell:
    """Shows a bar and words in a notebook, or the words alone where there is no HTML."""

    def __init__(self, what: str, share: float, words: str) -> None:
        self._what, self._share, self._words = what, share, words

    def _repr_html_(self) -> str:
        return (
            '<div style="font-family: monospace; white-space: nowrap">'
            f'{html.escape(self._what)} <progress value="{self._share:.4f}" max="1"></progress> '
            f"{self._share:.0%} {html.escape(self._words)}</div>"
        )

    def __repr__(self) -> str:
        return f"{self._what}: {self._share:.0%} {self._words}"
