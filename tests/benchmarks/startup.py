"""How long it takes from a command to its answer, and of `train` to the first step.

    python tests/benchmarks/startup.py [--repeat 3] [--workers 0 1 2] [--against PATH] [--json FILE]

First, commands that load a model, or nothing, each in a new process. Then `train`, without Ray and
with it, for one epoch of ten steps on the embedded sample, each time in a process that is watched
from outside: its children and what they have used of a processor, the lines that it prints, and
RUN/metrics.jsonl. With `--against`, the same of another checkout, in turns.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import ray
from measured import seconds, show

from distributed.sharding.shard import shard
from siamese.config.loading import load_recipe
from siamese.data.reading import read_texts
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.text.vocabulary import Vocabulary, count_characters

HERE = Path(__file__).resolve().parents[2]
SAMPLE = HERE / "data" / "siamese"
SETTINGS = ("encoder.vectors=none", "sampling.batch_groups=64", "training.epochs=1")
POLL_EVERY = 0.02
# Seconds between two looks at what processes have used; a look takes some milliseconds.
COUNT_EVERY = 0.25
# What a run passes by, in order, and the heading of the column with what it took to get there.
STAGES = {
    "ray": "data read",
    "checked": "Ray and preflight",
    "built": "workers, model",
    "step": "first step",
}
# The lines of RUN/metrics.jsonl that say so.
EVENTS = {"start": "built", "train": "step"}
CAPTION = """
Seconds, medians of {repeat}, the runs in turns. A run of the recipe `fast` with batches of 64
groups, ten steps an epoch, one core for each worker. data read: Python starts; with Ray, until it
starts its first process, so its import is in it and not the reading itself, which is in the next
column, Ray and preflight: until the run prints what it has read and found. workers, model: the
workers are started, TensorFlow is imported, the model is
built. first step: traced and taken. in all: until then. CPU: seconds of a core that all processes
together have used until then; other work on the machine delays the other columns, and this one
little. to the end: one epoch, evaluated and saved, and the end of Ray."""

COLD_CAPTION = """
Seconds from the start of a new process to its end; medians of {repeat}, in turns, after one that
does not count. The model has the sizes of the recipe default."""


def cold_starts(scratch: Path, repeat: int) -> list[dict[str, Any]]:
    """Rows for the commands that use a model, or nothing."""
    recipe = load_recipe("default")
    vocabulary = Vocabulary(count_characters(read_texts([str(SAMPLE / "df_train.json")])))
    shape = (len(vocabulary), recipe.encoder.embedding_dim)
    table = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    model, _ = build_encoder(recipe.encoder, table)
    SentenceEncoder.of_model(model, vocabulary, recipe).save(scratch / "model")
    python = [sys.executable, "-c"]
    siamese = [sys.executable, "-m", "distributed"]
    commands = {
        "python, doing nothing": [*python, "pass"],
        "import siamese": [*python, "import siamese"],
        "from siamese import SentenceEncoder": [*python, "from siamese import SentenceEncoder"],
        "siamese --help": [*siamese, "--help"],
        "siamese similarity": [*siamese, "similarity", str(scratch / "model"), "怎么退", "如何退"],
    }
    runs = [partial(subprocess.run, c, check=True, capture_output=True) for c in commands.values()]
    taken = seconds(runs, repeat)
    return [{"what": name, "seconds": each} for name, each in zip(commands, taken, strict=True)]


def run(data: Path, workers: int, folder: Path, code: Path) -> dict[str, float | None]:
    """Train for one epoch on a cluster of its own; what each stage took.

    Args:
        data: a data set.
        workers: 0: without Ray.
        folder: of the run.
        code: the checkout to run.
    """
    command = [sys.executable, "-m", "distributed", "train", "--recipe", "fast"]
    command += ["--data", str(data), "--dev", str(SAMPLE / "df_dev.txt"), "--run", str(folder)]
    command += ["--workers", str(workers), "--cpus-per-worker", "1"]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=data.parent,  # Python would take the modules of this folder, if there were any
        env={
            **os.environ,
            "PYTHONPATH": str(code),
            "PYTHONUNBUFFERED": "1",
            "RAY_ADDRESS": "local",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=_read, args=(process, begun, lines))
    reader.start()
    used, counted, cpu = Processes(process.pid), 0.0, 0.0
    at: dict[str, float] = {}
    while process.poll() is None:
        now = time.monotonic() - begun
        if "step" not in at:
            for event in _events(folder / "metrics.jsonl") & EVENTS.keys():
                at.setdefault(EVENTS[event], now)
            if now - counted > COUNT_EVERY or "step" in at:
                cpu, counted = used.seconds(), now
                if "ray" not in at and used.has("gcs_server"):
                    at["ray"] = now
        time.sleep(POLL_EVERY)
    at["end"] = time.monotonic() - begun
    reader.join()
    if process.returncode:
        sys.exit("the run failed:\n" + "".join(line for _, line in lines))
    printed = [moment for moment, line in lines if re.search("groups, .* development pairs", line)]
    at["checked" if workers else "ray"] = printed[0]
    return {**durations(at), "in all": at["step"], "CPU": cpu, "to the end": at["end"]}


def durations(at: dict[str, float]) -> dict[str, float | None]:
    """What each stage took; None for one that a run does not have."""
    took: dict[str, float | None] = {}
    before = 0.0
    for stage, heading in STAGES.items():
        took[heading] = at[stage] - before if stage in at else None
        before = at.get(stage, before)
    return took


def _read(process: subprocess.Popen, begun: float, lines: list[tuple[float, str]]) -> None:
    for line in process.stdout:
        lines.append((time.monotonic() - begun, line))


def _events(metrics: Path) -> set[str]:
    if not metrics.exists():
        return set()
    lines = metrics.read_text().splitlines()
    return {json.loads(line)["event"] for line in lines if line.endswith("}")}


class Processes:
    """A process and all that it and its children have started, those that have ended too."""

    def __init__(self, pid: int) -> None:
        self._used = {pid: 0}
        self._names: dict[int, str] = {}

    def seconds(self) -> float:
        """What they have used of a processor so far, as far as it has been seen."""
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                name, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue  # it has just ended
            pid, fields = int(folder.name), rest.split()
            if pid in self._used or int(fields[1]) in self._used:
                self._used[pid] = int(fields[11]) + int(fields[12])
                self._names[pid] = name.partition("(")[2]
        return sum(self._used.values()) / os.sysconf("SC_CLK_TCK")

    def has(self, name: str) -> bool:
        """Whether one of them has this name, as far as it has been seen."""
        return name in self._names.values()


def compare(data: Path, workers: list[int], codes: list[Path], repeat: int) -> list[dict[str, Any]]:
    """Rows of medians for each number of workers and each checkout, and of ratios if there are two.

    Args:
        data: a data set.
        workers: numbers of them.
        codes: the checkouts; they take turns.
        repeat: runs of each.
    """
    rows = []
    for count in workers:
        seen: list[list[dict[str, float | None]]] = [[] for _ in codes]
        for number in range(repeat):
            for code, taken in zip(codes, seen, strict=True):
                folder = data.parent / f"run-{count}-{number}-{codes.index(code)}"
                taken.append(run(data, count, folder, code))
                print(count, "workers", code, taken[-1], flush=True)
        medians = [
            {
                heading: None if first is None else median(each[heading] for each in taken)
                for heading, first in taken[0].items()
            }
            for taken in seen
        ]
        named = zip(codes, medians, strict=True)
        rows += [{"workers": count, "of": code.name, **row} for code, row in named]
        if len(codes) == 2:
            ratios = {
                heading: medians[0][heading] / before if before else None
                for heading, before in medians[1].items()
            }
            rows.append({"workers": count, "of": "ratio", **ratios})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    codes = [HERE, *([options.against.resolve()] if options.against else [])]
    with tempfile.TemporaryDirectory() as scratch:
        if not options.against:
            cold = cold_starts(Path(scratch), 3 * options.repeat)
            show("Cold starts", cold, COLD_CAPTION.format(repeat=3 * options.repeat), options.json)
        data = Path(scratch) / "data"
        shard([str(SAMPLE / "df_train.json")], data)
        ray.shutdown()  # each run starts its own
        rows = compare(data, options.workers, codes, options.repeat)
    show("From the command to the first step", rows, CAPTION.format(**vars(options)), options.json)


if __name__ == "__main__":
    main()
