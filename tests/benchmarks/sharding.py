"""How fast sharding is, and how much memory and disk it takes.

    python tests/benchmarks/sharding.py [--texts 1000000 10000000 | --mib 954] [--suffix .json]
        [--corpus FILE] [--turns N] [--one] [--scratch DIR] [--json FILE]
    python tests/benchmarks/sharding.py --plan 3333333 33333333 [--json FILE]

Makes groups of two to four texts from the lines of a text file (by default, of the sample's pairs),
shards them, and prints a table. With `--suffix .json` they are one JSON object, else JSON Lines.
With `--one`, one process does it too, in turns with all cores: who writes other bytes fails.
With `--plan`, only what one process does for so many groups: looking for an id that occurs twice
and dealing groups to shards, by random keys in as many sorted runs as there would be.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import ray  # noqa: F401  (brings psutil)

# isort: split
import psutil
from measured import show

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "siamese" / "df_dev.txt"
CAPTION = """
Groups of two to four different texts in {kind}, sharded in a process of its own; medians of
{turns}. start-up: of Ray, which small inputs and one process do without; with --one it is part of
what all cores take, since sharding begins meanwhile. CPU: of all processes,
Ray's own included. largest: peak resident memory of the largest process. all: of all processes
together, shared pages counted once for each. disk: the most that sorted runs and shards took.
times: how many times as fast as one process."""
# What `siamese shard` does after start-up: Ray has started and a worker has answered.
AFTER_START_UP = """
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
# What it does as a whole.
ALL_CORES = """
import sys, time
from distributed.sharding.shard import shard
start = time.perf_counter()
shard([sys.argv[1]], sys.argv[2])
print(0, time.perf_counter() - start)
"""
ONE_PROCESS = ALL_CORES.replace(
    "distributed.sharding.shard import", "siamese.data.sharding import make_data_set as"
)
PLAN_CAPTION = """
What the driver alone does between reading and writing, each in a process of its own. memory: peak
resident memory, less what the imports take. read: how many times the sorted runs are read while
shards are written, since a slice is read in blocks of 1,024 groups."""
PLAN = """
import resource, sys, time
import numpy as np
from siamese.data.sharding import ROWS_PER_SHARD, STRETCH_ROWS
from siamese.data.sorted_runs import find_repeated_id, plan_shards
groups, runs = map(int, sys.argv[1:])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rng = np.random.default_rng(1)
sizes = np.diff(np.arange(runs + 1) * groups // runs)
keys = {
    str(number): np.sort(rng.integers(2**62, size=size, dtype=np.uint64))
    for number, size in enumerate(sizes)
}
start = time.process_time()
assert find_repeated_id(None, keys) is None
shards = plan_shards(list(keys.values()), ROWS_PER_SHARD, STRETCH_ROWS)
taken = time.process_time() - start
print(len(shards), taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
# About as many as 32 MiB of JSON hold.
GROUPS_PER_RUN = 216_000


@dataclass(frozen=True)
class Taken:
    """What sharding took.

    Attributes:
        start_up: seconds until Ray was ready.
        seconds: after that.
        cpu: seconds of all processes.
        largest: bytes of resident memory of the largest process, at most.
        memory: the same of all processes together.
        disk: bytes beside the input, at most.
    """

    start_up: float
    seconds: float
    cpu: float
    largest: int
    memory: int
    disk: int


def make_input(corpus: Path, texts: float, path: Path, mib: float = inf) -> tuple[int, int]:
    """Write that many different texts, or MiB, and return the numbers of groups and texts.

    Lines are used again and again, each time with another number behind them.
    """
    lines = [line for line in corpus.read_text(encoding="utf-8").splitlines() if line.strip()]
    is_object = path.suffix == ".json"
    written = groups = size = 0
    with path.open("wb") as stream:
        size += stream.write(b"{" * is_object)
        while written < texts and size < mib * 2**20:
            count = int(min(2 + groups % 3, max(texts - written, 2)))
            members = [
                f"{lines[i % len(lines)]}{i // len(lines) or ''}"
                for i in range(written, written + count)
            ]
            if is_object:
                row = f'"group-{groups}": {json.dumps(members, ensure_ascii=False)}'
                size += stream.write(((",\n" if groups else "") + row).encode())
            else:
                row = json.dumps({"id": f"group-{groups}", "texts": members}, ensure_ascii=False)
                size += stream.write(f"{row}\n".encode())
            written += count
            groups += 1
        stream.write(b"}\n" * is_object)
    return groups, written


def shard(source: Path, output: Path, code: str = AFTER_START_UP) -> Taken:
    """Shard in a process of its own, into a folder that has nothing else in it but the source."""
    running = psutil.Popen(
        [sys.executable, "-c", code, str(source), str(output)], cwd=ROOT, stdout=subprocess.PIPE
    )
    largest = memory = disk = 0
    cpu: dict[int, float] = {}
    while running.poll() is None:
        resident = []
        for process in [running, *running.children(recursive=True)]:
            try:
                resident.append(process.memory_info().rss)
                times = process.cpu_times()
                cpu[process.pid] = times.user + times.system
            except psutil.Error:
                continue  # it has ended
        largest, memory = max(largest, *resident, 0), max(memory, sum(resident))
        disk = max(disk, size_of(output.parent) - source.stat().st_size)
        time.sleep(0.2)
    out = running.stdout.read().decode()
    if running.returncode:
        sys.exit(f"sharding failed: {out}")
    start_up, seconds = map(float, out.splitlines()[-1].split())
    return Taken(start_up, seconds, sum(cpu.values()), largest, memory, disk)


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder, some of which may vanish."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total


def checksums(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def measure(options: argparse.Namespace, texts: float, scratch: Path) -> list[dict[str, Any]]:
    """Shard that many texts, as often as asked; the rows of the table."""
    source = scratch / f"in{options.suffix}"
    groups, texts = make_input(options.corpus, texts, source, options.mib or inf)
    ways = {"all cores": AFTER_START_UP}
    if options.one:
        ways = {"one process": ONE_PROCESS, "all cores": ALL_CORES}
    taken: dict[str, list[Taken]] = {way: [] for way in ways}
    seen: list[dict[str, str]] = []
    for turn in range(options.turns):
        for way, code in ways.items():
            once = shard(source, scratch / "data", code)
            print(f"turn {turn + 1}, {way}: {once}", flush=True)
            taken[way].append(once)
            seen.append(checksums(scratch / "data"))
            shutil.rmtree(scratch / "data")
    seconds = {way: median(each.seconds for each in taken[way]) for way in ways}
    rows = [
        {
            "who": way,
            "texts": texts,
            "groups": groups,
            "input (MiB)": source.stat().st_size >> 20,
            "start-up (s)": None
            if options.one
            else round(median(each.start_up for each in taken[way]), 1),
            "sharding (s)": seconds[way],
            "texts/s": int(texts / seconds[way]),
            "CPU (s)": median(each.cpu for each in taken[way]),
            "largest (MiB)": max(each.largest for each in taken[way]) >> 20,
            "all (MiB)": max(each.memory for each in taken[way]) >> 20,
            "disk (MiB)": max(each.disk for each in taken[way]) >> 20,
            "times": seconds["one process"] / seconds[way] if options.one else None,
            "same bytes": all(each == seen[0] for each in seen) if len(seen) > 1 else None,
        }
        for way in ways
    ]
    source.unlink()
    return rows


def plan(groups: int) -> dict[str, Any]:
    """What the driver alone does for so many groups: a row of the table."""
    runs = -(-groups // GROUPS_PER_RUN)
    command = [sys.executable, "-c", PLAN, str(groups), str(runs)]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    shards, seconds, kib = map(float, out.split())
    slice_ = groups / shards / runs
    return {
        "groups": groups,
        "sorted runs": runs,
        "shards": int(shards),
        "CPU (s)": seconds,
        "memory (MiB)": int(kib) >> 10,
        "memory (bytes a group)": kib * 1024 / groups,
        "read (times)": (slice_ + 1023) / slice_,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--mib", type=float, help="size of the input, in the place of --texts")
    parser.add_argument("--suffix", choices=[".jsonl", ".json"], default=".jsonl")
    parser.add_argument("--corpus", type=Path, default=SAMPLE, help="a text file, one text a line")
    parser.add_argument("--turns", type=int, default=1, help="how often; all bytes are compared")
    parser.add_argument("--one", action="store_true", help="by one process, too")
    parser.add_argument("--scratch", type=Path, help="where to work; else a temporary folder")
    parser.add_argument("--plan", type=int, nargs="+", help="groups to plan shards for, only")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.plan:
        show("Planning shards", list(map(plan, options.plan)), PLAN_CAPTION, options.json)
        return
    rows = []
    for texts in [inf] if options.mib else options.texts:
        with tempfile.TemporaryDirectory(dir=options.scratch, prefix="sharding-") as scratch:
            rows += measure(options, texts, Path(scratch))
    kind = "one JSON object" if options.suffix == ".json" else "JSON Lines"
    show("Sharding", rows, CAPTION.format(kind=kind, turns=options.turns), options.json)
    if any(row["same bytes"] is False for row in rows):
        sys.exit("the bytes differ")


if __name__ == "__main__":
    main()
