"""What a sweep shows while it runs: a live table on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed.sweep.trial_log import FAILED, RUNNING, TrialLog
from distributed.sweep.trials import Trials
from siamese.config.metrics import metric_of
from siamese.config.search_space import in_words
from siamese.progress import can_draw

if TYPE_CHECKING:
    from rich.table import Table


# Rows of the live table: the trials that run, and the best of the others.
ROWS = 20


class SweepDisplay:
    """Shows the trials; call it with a trial whenever there is news of it.

    Args:
        trials: all that have begun.
        total: how many there will be.
    """

    def __init__(self, trials: Trials, total: int) -> None:
        self._trials = trials
        self._total = total
        self._metric = trials.metric
        self._live: Any = None
        self._shown: dict[int, tuple[str, int]] = {}
        self._started: set[int] = set()
        self._begun = time.monotonic()
        self._ended_before = len(trials.ended())

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Draw the live table while the block runs, if this is a terminal."""
        if not can_draw(sys.stdout):
            yield
            return
        from rich.live import Live

        with Live(self.table(), refresh_per_second=2) as self._live:
            yield
        self._live = None

    def __call__(self, log: TrialLog) -> None:
        """Show what is new of a trial."""
        self._started.add(log.number)
        if self._live:
            self._live.update(self.table())
            return
        news = (log.status, len(log.evaluations))
        if self._shown.get(log.number) == news:
            return
        before = self._shown.get(log.number, ("", 0))
        self._shown[log.number] = news
        if not before[0]:
            again = f" goes on after epoch {len(log.evaluations)}" if log.evaluations else ""
            print(f"trial {log.number}{again}: {in_words(log.settings)}", flush=True)
        if news[1] > before[1] and log.evaluations and before[0]:
            last = log.evaluations[-1]
            print(
                f"trial {log.number}  epoch {last['epoch']}/{self._trials.epochs}  "
                f"{self._metric} {last[self._metric]:.4f}  {self._best_so_far()}",
                flush=True,
            )
        if log.status == FAILED:
            print(f"trial {log.number} failed and is set aside: {log.error}", flush=True)
        elif log.status != RUNNING:
            print(f"trial {log.number} {log.status}; {self._time_left()}", flush=True)

    def _time_left(self) -> str:
        """Say how many trials have ended, in what time, and how long the others may take."""
        ended = len(self._trials.ended())
        seconds = time.monotonic() - self._begun
        words = f"{ended} of {self._total} ended, {seconds:.0f} s"
        if (now := ended - self._ended_before) and ended < self._total:
            words += f", about {seconds / now * (self._total - ended):.0f} s left"
        return words

    def _best_so_far(self) -> str:
        ranked = self._trials.ranked()
        if not ranked:
            return ""
        best = ranked[0].best(self._metric)
        assert best is not None
        return f"best so far {best[self._metric]:.4f}, trial {ranked[0].number}"

    def table(self) -> "Table":
        """Make a table of the trials that run, then the best of the others."""
        from rich.table import Table

        running, ended = self._trials.running(), self._trials.ended()
        order = [log.number for log in self._trials.ranked()]
        ended.sort(key=lambda log: order.index(log.number) if log.number in order else len(order))
        table = Table(
            title=f"trials: {self._time_left()}",
            caption=self._best_so_far() or None,
        )
        label = metric_of(self._metric).label
        for name in ("trial", "status", "epoch", label, "best", "settings"):
            table.add_column(name, no_wrap=name != "settings")
        for log in [*running, *ended][:ROWS]:
            last = log.evaluations[-1] if log.evaluations else None
            best = log.best(self._metric)
            table.add_row(
                str(log.number),
                "waiting" if log in running and log.number not in self._started else log.status,
                f"{last['epoch'] if last else 0}/{self._trials.epochs}",
                f"{last[self._metric]:.4f}" if last else "",
                f"{best[self._metric]:.4f}" if best else "",
                log.error or in_words(log.settings),
                style="bold" if order and log.number == order[0] else None,
            )
        return table
