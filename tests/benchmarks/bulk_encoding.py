"""`siamese encode` of very many texts: rate and memory, and that kills change no byte.

    python tests/benchmarks/bulk_encoding.py --model MODEL --texts FILE [--count 10000000]
        [--workers 2] [--kill-count 500000] [--folder DIR] [--json FILE]

The lines of FILE are repeated until there are so many. They are encoded by one process and by the
workers of Ray Data: the folders must be the same. Then, of `--kill-count` texts, a worker is killed
once two files are there, and the work must end by itself; and the process that was started, and
`--resume` must end it: with the same bytes both times, and with all files kept that were whole.
DIR needs room for three times the embeddings; it is made, and removed at the end.
"""

import argparse
import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measured import show
from resources import descendants, memory, size

CAPTION = """
{count:,} texts of {mean:.1f} characters on average; seconds of the whole command, reading all texts
twice and starting Ray with its workers included. Peak memory of a process is without memory that it
shares with others (Ray's object store, of 256 MiB).
"""
LOOK_EVERY = 0.2


class Watched:
    """A command that runs, and what its processes hold at most.

    Args:
        arguments: of `siamese`.
        look: is called with it a few times a second.
    """

    def __init__(self, *arguments: object, look: Callable[["Watched"], None] = lambda _: None):
        command = [sys.executable, "-m", "distributed", *map(str, arguments)]
        environment = {**os.environ, "RAY_ADDRESS": "local"}
        start = time.perf_counter()
        self.peaks: dict[str, float] = {}
        self.process = subprocess.Popen(command, env=environment, start_new_session=True)
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done, look), daemon=True)
        thread.start()
        self.code = self.process.wait()
        done.set()
        thread.join()
        self.seconds = time.perf_counter() - start

    def _watch(self, done: threading.Event, look: Callable[["Watched"], None]) -> None:
        while not done.wait(LOOK_EVERY):
            for pid in (self.process.pid, *descendants(self.process.pid)):
                kind = "driver" if pid == self.process.pid else kind_of(pid)
                held = memory(pid) - memory(pid, "RssShmem")
                self.peaks[kind] = max(self.peaks.get(kind, 0.0), held)
            look(self)

    def pids(self, kind: str) -> list[int]:
        """The processes of a kind that run now."""
        return [pid for pid in descendants(self.process.pid) if kind_of(pid) == kind]


def kind_of(pid: int) -> str:
    """What a process of Ray's does."""
    try:
        name = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "other"
    if "MapWorker" in name:
        return "worker"
    return "reader" if "FlatMap" in name else "other"


def digest(folder: Path) -> str:
    """A checksum of a folder's files and their names."""
    found = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return found.hexdigest()


def write_texts(source: Path, target: Path, count: int) -> float:
    """Repeat the lines of a file until there are so many; their mean length."""
    with source.open(encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in itertools.islice(file, count)]
    with target.open("w", encoding="utf-8") as file:
        for line in itertools.islice(itertools.cycle(lines), count):
            file.write(line + "\n")
    return sum(map(len, lines)) / len(lines)


def rates(model: str, texts: Path, folder: Path, workers: int, count: int) -> list[dict[str, Any]]:
    """Encode by one process and by workers."""
    rows, digests = [], []
    for number in (0, workers):
        output = folder / f"by-{number}"
        print(f"{count:,} texts, --workers {number} …", file=sys.stderr, flush=True)
        run = Watched("encode", model, texts, "--output", output, "--workers", number)
        if run.code:
            sys.exit(f"exit code {run.code}")
        digests.append(digest(output))
        rows.append(
            {
                "": f"{number} workers" if number else "one process",
                "seconds": run.seconds,
                "texts/s": count / run.seconds,
                "peak MiB: driver": run.peaks["driver"],
                "worker": run.peaks.get("worker"),
                "reader": run.peaks.get("reader"),
                "MiB written": size(output),
                "same bytes": digests[-1] == digests[0],
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
        if len(digests) < 2 or digests[-1] == digests[0]:
            shutil.rmtree(output)
    return rows


def kills(model: str, texts: Path, folder: Path, workers: int) -> list[dict[str, Any]]:
    """Kill a worker, and the process that was started."""
    whole = folder / "whole"
    Watched("encode", model, texts, "--output", whole)
    expected, files = digest(whole), len(list(whole.glob("part-*")))
    rows = []
    for what in ("worker", "driver"):
        output = folder / f"killed-{what}"
        killed: list[int] = []

        def look(run: Watched, what=what, output=output, killed=killed) -> None:
            if killed or len(list(output.glob("part-*"))) < 2:
                return
            pids = run.pids("worker") if what == "worker" else [run.process.pid]
            if pids:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])

        command = ("encode", model, texts, "--output", output, "--workers", workers)
        run = Watched(*command, look=look)
        there = {path.name: path.stat().st_mtime_ns for path in output.glob("part-*")}
        if run.code:
            run = Watched(*command, "--resume")
        kept = sum((output / name).stat().st_mtime_ns == at for name, at in there.items())
        rows.append(
            {
                "SIGKILL of": what,
                "was killed": bool(killed),
                "files": files,
                "whole then": len(there),
                "of these kept": kept,
                "exit code": run.code,
                "same bytes": digest(output) == expected,
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill-count", type=int, default=500_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        texts = folder / "texts.txt"
        mean = write_texts(given.texts, texts, given.count)
        rows = rates(given.model, texts, folder, given.workers, given.count)
        show("bulk encoding", rows, CAPTION.format(count=given.count, mean=mean), given.json)
        write_texts(given.texts, texts, given.kill_count)
        rows = kills(given.model, texts, folder, given.workers)
        show("kills", rows, f"{given.kill_count:,} texts.", given.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
