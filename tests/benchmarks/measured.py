"""What a benchmark ran on, how it takes times, and its figures as a table and as JSON."""

import json
import os
import platform
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

WIDTH = 110
# Seconds before each run, until threads of the last one that wait by spinning have gone to sleep.
REST = 0.3

_shown: list[dict[str, Any]] = []
PACKAGES = ("numpy", "tensorflow", "keras", "ray", "torch", "sentence-transformers")


def seconds(runs: list[Callable[[], Any]], repeat: int) -> list[float]:
    """The median time of each, taken in turns after one run that does not count."""
    taken: list[list[float]] = [[] for _ in runs]
    for turn in range(repeat + 1):
        for run, times in zip(runs, taken, strict=True):
            time.sleep(REST)
            start = time.perf_counter()
            run()
            if turn:
                times.append(time.perf_counter() - start)
    return [median(times) for times in taken]


@cache
def peak_gflops() -> float:
    """What a large matrix product reaches on all cores, in 1e9 operations a second."""
    matrix = np.random.default_rng(1).normal(size=(2048, 2048)).astype(np.float32)
    return 2 * 2048**3 / seconds([lambda: matrix @ matrix], 9)[0] / 1e9


def machine() -> dict[str, Any]:
    """The cores that this process may use, what they reach, and the versions of what runs there."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "peak (GFLOP/s)": round(peak_gflops()),
        "Python": platform.python_version(),
        **_versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def show(title: str, rows: list[dict[str, Any]], caption: str, json_file: Path | None) -> None:
    """Print a table of the rows, and write the same figures as JSON, after those shown before.

    Args:
        title: of the table.
        rows: one dict each, with the same keys: the headings of the columns.
        caption: what one must know to read the table.
        json_file: where to write; None: nowhere.
    """
    there = machine()
    if json_file:
        _shown.append({"title": title, "rows": rows})
        text = json.dumps({"machine": there, "tables": _shown}, indent=1)
        json_file.write_text(text + "\n", encoding="utf-8")
    versions = ", ".join(f"{name} {value}" for name, value in list(there.items())[3:])
    on = f"{there['cores']} cores of {there['cpu']}, {there['peak (GFLOP/s)']} GFLOP/s"
    table = Table(
        title=f"{title}\n{on}\n{versions}",
        caption=" ".join(caption.split()),
        caption_justify="left",
        expand=True,
    )
    for heading, value in rows[0].items():
        table.add_column(heading, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*map(_in_words, row.values()))
    console = Console()
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    console.print(table)


def _in_words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        if 0 < abs(value) < 0.005:
            return f"{value:.1e}"
        return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
