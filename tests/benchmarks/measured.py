"""What a benchmark ran on, and its figures as a table and as JSON."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 110


def machine() -> dict[str, Any]:
    """The cores that this process may use, their model, and the versions of what runs on them."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "Python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "ray")},
    }


def show(title: str, rows: list[dict[str, Any]], caption: str, json_file: Path | None) -> None:
    """Print a table of the rows, and write the same figures as JSON.

    Args:
        title: of the table.
        rows: one dict each, with the same keys: the headings of the columns.
        caption: what one must know to read the table.
        json_file: where to write; None: nowhere.
    """
    there = machine()
    if json_file:
        text = json.dumps({"title": title, "machine": there, "rows": rows}, indent=1)
        json_file.write_text(text + "\n", encoding="utf-8")
    versions = ", ".join(f"{name} {value}" for name, value in list(there.items())[2:])
    table = Table(
        title=f"{title}\n{there['cores']} cores of {there['cpu']}; {versions}",
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
