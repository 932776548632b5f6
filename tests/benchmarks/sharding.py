"""How fast sharding is, and how much memory its largest process takes.

    python tests/benchmarks/sharding.py [--texts 1000000 10000000] [--corpus FILE] [--twice]
        [--json FILE]

Makes groups of two to four texts from the lines of a text file (by default, of the sample's pairs),
shards them, and prints a table.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray  # noqa: F401  (brings psutil)

# isort: split
import psutil
from measured import show

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "siamese" / "df_dev.txt"
CAPTION = """
Groups of two to four different texts in JSON Lines, sharded in a process of its own. start-up: of
Ray, which small inputs do without. largest: peak resident memory of the largest process."""
# What `siamese shard` does, with its start-up timed: Ray has started and a worker has answered.
CHILD = """
import sys, time
from pathlib import Path
from distributed.cluster.connect import connect
from distributed.sharding.ray_map import ray_map
from distributed.sharding.shard import BYTES_WITHOUT_RAY, OBJECT_STORE_BYTES, shard
start = time.perf_counter()
if Path(sys.argv[1]).stat().st_size > BYTES_WITHOUT_RAY:
    connect(object_store_memory=OBJECT_STORE_BYTES)
    list(ray_map(dict, [{"nothing": 0}] * 2))
ready = time.perf_counter()
shard([sys.argv[1]], sys.argv[2])
print(ready - start, time.perf_counter() - ready)
"""


def make_input(corpus: Path, texts: int, path: Path) -> tuple[int, int]:
    """Write JSON Lines with that many different texts, and return the numbers of groups and texts.

    Lines are used again and again, each time with another number behind them.
    """
    lines = [line for line in corpus.read_text(encoding="utf-8").splitlines() if line.strip()]
    written = groups = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < texts:
            size = min(2 + groups % 3, max(texts - written, 2))
            members = [
                f"{lines[i % len(lines)]}{i // len(lines) or ''}"
                for i in range(written, written + size)
            ]
            row = {"id": f"group-{groups}", "texts": members}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            written += size
            groups += 1
    return groups, written


def shard(source: Path, output: Path) -> tuple[float, float, dict[str, int]]:
    """Shard in a process of its own.

    Returns:
        Seconds of start-up, seconds after it, and the peak resident memory of each kind of process.
    """
    running = psutil.Popen(
        [sys.executable, "-c", CHILD, str(source), str(output)], cwd=ROOT, stdout=subprocess.PIPE
    )
    peaks: dict[str, int] = {}
    while running.poll() is None:
        for process in [running, *running.children(recursive=True)]:
            try:
                kind = "driver" if process.pid == running.pid else kind_of(process)
                peaks[kind] = max(peaks.get(kind, 0), process.memory_info().rss)
            except psutil.Error:
                continue  # it has ended
        time.sleep(0.2)
    out = running.stdout.read().decode()
    if running.returncode:
        sys.exit(f"sharding failed: {out}")
    start_up, seconds = map(float, out.split())
    return start_up, seconds, peaks


def kind_of(process: psutil.Process) -> str:
    command = process.cmdline()
    if command and command[0].startswith("ray::"):
        return "worker"
    for kind in ("raylet/raylet", "gcs_server", "dashboard", "runtime_env", "log_monitor"):
        if any(kind in word for word in command):
            return kind.split("/")[-1]
    return process.name()


def checksums(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def measure(corpus: Path, texts: int, twice: bool, scratch: Path) -> list[dict[str, Any]]:
    """Shard that many texts, perhaps twice; the rows of the table."""
    source = scratch / "in.jsonl"
    groups, texts = make_input(corpus, texts, source)
    seen: list[dict[str, str]] = []
    rows = []
    for number in range(1 + twice):
        output = scratch / f"data{number}"
        start_up, seconds, peaks = shard(source, output)
        seen.append(checksums(output))
        largest = max(peaks, key=lambda kind: peaks[kind])
        rows.append(
            {
                "texts": texts,
                "groups": groups,
                "input (MiB)": source.stat().st_size >> 20,
                "start-up (s)": round(start_up, 1),
                "sharding (s)": seconds,
                "texts/s": int(texts / seconds),
                "largest (MiB)": peaks[largest] >> 20,
                "same bytes": None if number == 0 else seen[0] == seen[1],
            }
        )
        shutil.rmtree(output)
    source.unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--corpus", type=Path, default=SAMPLE, help="a text file, one text a line")
    parser.add_argument("--twice", action="store_true", help="again, and compare all bytes")
    parser.add_argument("--scratch", type=Path, help="where to work; else a temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    rows = []
    for texts in options.texts:
        with tempfile.TemporaryDirectory(dir=options.scratch, prefix="sharding-") as scratch:
            rows += measure(options.corpus, texts, options.twice, Path(scratch))
    show("Sharding", rows, CAPTION, options.json)
    if any(row["same bytes"] is False for row in rows):
        sys.exit("the bytes differ")


if __name__ == "__main__":
    main()
