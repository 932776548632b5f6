"""What processes hold, read from /proc; and whether it grows."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

MIB = 1 << 20


def memory(pid: int | str, key: str = "VmRSS") -> float:
    """MiB of a process: `VmRSS`, or of shared memory `RssShmem`; 0 if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def handles(pid: int | str) -> int:
    """Open file handles of a process."""
    return _count(f"/proc/{pid}/fd")


def threads(pid: int | str) -> int:
    """Threads of a process."""
    return _count(f"/proc/{pid}/task")


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, fields = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(number)
    found, new = [], [pid]
    while new:
        new = [child for parent in new for child in children.get(parent, [])]
        found += new
    return found


def of_session(session: int) -> list[int]:
    """The processes that belong to a session, or that say so in their environment."""
    mark = f"SOAK_SESSION={session}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def command(pid: int) -> str:
    """The name of a process's program."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def entries(folder: str | Path) -> set[str]:
    """Everything below a folder."""
    return {
        str(Path(parent) / name)
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
    }


def size(folder: str | Path) -> float:
    """MiB of the files below a folder."""
    total = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(parent) / name).lstat().st_size
            except OSError:
                continue
    return total / MIB


def slope(parts: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """How fast something grows, and twice the standard error of that, by least squares.

    Args:
        parts: for each process, points (time, value); each has a level of its own.
    """
    centred = []
    for part in parts:
        if len(part) > 2:
            points = np.array(part, float)
            centred.append(points - points.mean(axis=0))
    if not centred:
        return 0.0, 0.0
    x, y = np.concatenate(centred).T
    spread = float(x @ x)
    if not spread:
        return 0.0, 0.0
    rate = float(x @ y) / spread
    left = y - rate * x
    freedom = max(len(x) - len(centred) - 1, 1)
    return rate, 2 * float(np.sqrt(left @ left / freedom / spread))


def _count(folder: str) -> int:
    try:
        return sum(1 for _ in Path(folder).iterdir())
    except OSError:
        return 0
