"""How long it takes from a command to its answer, and of `train` to the first step.

    python tests/benchmarks/startup.py [--repeat 3] [--json FILE]

First, commands that load a model, or nothing, each in a new process. Then `train`, without Ray and
with it, for one epoch of ten steps on the embedded sample, each time in a process that is watched
from outside: its children, the lines that it prints, and RUN/metrics.jsonl, 50 times a second.
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
from measured import seconds, show

from distributed.sharding.shard import shard
from siamese.config.loading import load_recipe
from siamese.data.reading import read_texts
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.text.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese"
WORKERS = (0, 1, 2)
SETTINGS = ("encoder.vectors=none", "sampling.batch_groups=64", "training.epochs=1")
POLL_EVERY = 0.02
# What a run passes by, in order, and the heading of the column with what it took to get there.
STAGES = {
    "data read": "data",
    "cluster checked": "cluster",
    "workers up": "start",
    "model built": "model",
    "first step": "first step",
}
# What the lines have in them by which stages are known. With Ray the first one is printed late: see
# `_has_started_ray`.
LINES = {
    "data read": r"groups, .* development pairs",
    "cluster checked": r"CPUs? left for data",
    "workers up": r"training on \d+ worker",
}
CAPTION = """
Seconds, medians of {repeat}. A run of the recipe `fast` with batches of 64 groups, ten steps an
epoch. data: Python starts and the data are read; with Ray, until it starts its first process, so
the import of Ray is in it. cluster: Ray starts and the preflight is done. start: TensorFlow is
imported and the workers start, until "training on …", which is printed up to half a second late,
at the cost of the next column. model: until it is built; without Ray, TensorFlow is imported here.
first step: traced and taken. all: one epoch, evaluated and saved, and the end of Ray."""

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


def run(data: Path, workers: int, folder: Path) -> dict[str, float]:
    """Train for one epoch on a cluster of its own; the seconds at which each stage was over."""
    command = [sys.executable, "-m", "distributed", "train", "--recipe", "fast"]
    command += ["--data", str(data), "--dev", str(SAMPLE / "df_dev.txt"), "--run", str(folder)]
    command += ["--workers", str(workers), "--cpus-per-worker", "1"]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment.pop("RAY_ADDRESS", None)
    begun = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[tuple[float, str]] = []
    reader = threading.Thread(target=_read, args=(process, begun, lines))
    reader.start()
    stamps: dict[str, float] = {}
    while process.poll() is None:
        now = time.monotonic() - begun
        if workers and "data read" not in stamps and _has_started_ray(process.pid):
            stamps["data read"] = now
        events = _events(folder / "metrics.jsonl")
        for event, stage in (("start", "model built"), ("train", "first step")):
            if event in events:
                stamps.setdefault(stage, now)
        time.sleep(POLL_EVERY)
    stamps["all"] = time.monotonic() - begun
    reader.join()
    if process.returncode:
        sys.exit("the run failed:\n" + "".join(line for _, line in lines))
    for stage, text in LINES.items():
        for moment, line in lines:
            if re.search(text, line):
                stamps.setdefault(stage, moment)
    if workers:
        stamps["workers up"] = min(stamps["workers up"], stamps["model built"])  # the line was late
    return stamps


def _read(process: subprocess.Popen, begun: float, lines: list[tuple[float, str]]) -> None:
    for line in process.stdout:
        lines.append((time.monotonic() - begun, line))


def _has_started_ray(pid: int) -> bool:
    """Whether the process has a child that is the head of a cluster."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        commands = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    except OSError:
        return False  # one of them has just ended
    return any(b"gcs_server" in command for command in commands)


def _events(metrics: Path) -> set[str]:
    if not metrics.exists():
        return set()
    lines = metrics.read_text().splitlines()
    return {json.loads(line)["event"] for line in lines if line.endswith("}")}


def durations(stamps: dict[str, float]) -> dict[str, float | None]:
    """What each stage took, and when the first step and all was done."""
    took: dict[str, float | None] = {}
    before = 0.0
    for stage, heading in STAGES.items():
        took[heading] = None
        if stage in stamps:
            took[heading] = stamps[stage] - before
            before = stamps[stage]
    return {**took, "to first step": stamps["first step"], "all": stamps["all"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    seen: dict[int, list[dict[str, float | None]]] = {workers: [] for workers in WORKERS}
    with tempfile.TemporaryDirectory() as scratch:
        cold = cold_starts(Path(scratch), 3 * options.repeat)
        show("Cold starts", cold, COLD_CAPTION.format(repeat=3 * options.repeat), options.json)
        data = Path(scratch) / "data"
        shard([str(SAMPLE / "df_train.json")], data)
        for number in range(options.repeat):
            for workers in WORKERS:
                folder = Path(scratch) / f"run-{workers}-{number}"
                seen[workers].append(durations(run(data, workers, folder)))
    rows = [
        {
            "workers": workers,
            **{
                heading: None if first is None else round(median(t[heading] for t in times), 2)
                for heading, first in times[0].items()
            },
        }
        for workers, times in seen.items()
    ]
    show("From the command to the first step", rows, CAPTION.format(**vars(options)), options.json)


if __name__ == "__main__":
    main()
