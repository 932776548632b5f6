"""Does anything grow? Encode in a loop for an hour, and run 200 trials in one sweep.

    python tests/benchmarks/soak.py [--minutes 60] [--trials 200] [--folder .soak] [--json FILE]

Samples are appended to `FOLDER/encode.jsonl` and `FOLDER/sweep.jsonl` as they are taken. Called
again with the same folder it goes on: with the minutes that are left, and with the sweep's trials
that have not ended. The exit code is 1 if memory grows, or if anything is left over.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measured import show
from resources import (
    command,
    descendants,
    entries,
    handles,
    memory,
    of_session,
    size,
    slope,
    threads,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

SAMPLE = Path(__file__).parents[2] / "data" / "siamese"
SAMPLE_S = 5
# Of a process's samples, the first share is warming up.
WARM = 0.25
# MiB a minute, and MiB a trial, that do not count as growth.
MINUTE_MIB, TRIAL_MIB = 0.1, 0.05
# Seconds that processes of a sweep may take to go.
GONE_S = 30
TINY = (
    "encoder.embedding_dim=8",
    "encoder.lstm_units=[6]",
    "sampling.batch_groups=64",
    "training.epochs=1",
)
SPACE = "loss: {scale: {log_uniform: [5, 80]}}\n"
CAPTION = """
growth: least squares over the samples after the first quarter of each process's, with twice its
standard error; flat: not more than that, or than {minute} MiB a minute and {trial} MiB a trial.
left: more handles, threads or processes at the end than at the beginning, and entries in the
temporary folder and in /dev/shm (of any process of this machine) that were not there before.
Shared memory of the raylet: the pages of the object store that were ever touched."""


def append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a") as stream:
        stream.write(json.dumps(line) + "\n")


def samples(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def parts(lines: list[dict[str, Any]], x: str, y: str) -> list[list[tuple[float, float]]]:
    """Points of each process, without those while it warmed up."""
    found: dict[int, list[tuple[float, float]]] = {}
    for line in lines:
        found.setdefault(line["pid"], []).append((line[x], line[y]))
    return [points[int(len(points) * WARM) :] for points in found.values()]


def row(
    what: str, lines: list[dict[str, Any]], x: str, y: str, allowed: float, unit: str
) -> dict[str, Any]:
    """How a figure grew."""
    rate, noise = slope(parts(lines, x, y))
    return {
        "what": what,
        "unit": unit,
        "samples": len(lines),
        "first": round(lines[0][y], 1),
        "last": round(lines[-1][y], 1),
        "growth": round(rate, 4),
        "±": round(noise, 4),
        "flat": rate <= max(noise, allowed),
    }


def left(what: str, before: float, after: float) -> dict[str, Any]:
    """What was there before and is after."""
    whole = {"what": what, "unit": "left", "samples": None, "first": before, "last": after}
    return {**whole, "growth": None, "±": None, "flat": after <= before}


def make_model(folder: Path) -> None:
    """A small model; needs TensorFlow, and so a process of its own."""
    from report_run import make_run

    make_run(folder, [], epochs=1)


def encode_for(folder: Path, minutes: float) -> list[dict[str, Any]]:
    """Encode texts of all kinds for so many minutes in all; rows of the table."""
    file = folder / "encode.jsonl"
    done = sum(line["seconds"] for line in samples(file))
    model = folder / "run"
    if not model.exists():
        maker = multiprocessing.get_context("spawn").Process(target=make_model, args=(model,))
        maker.start()
        maker.join()
    from siamese import SentenceEncoder
    from siamese.encoding.encode_file import encode_file

    rng, pid = np.random.default_rng(done > 0), os.getpid()
    temporary = Path(tempfile.mkdtemp(prefix="soak-"))
    tempfile.tempdir = str(temporary)
    (folder / "texts.txt").write_text("怎么办卡\n如何办卡\n" * 50, encoding="utf-8")
    encoder = SentenceEncoder.load(model / "best")
    begun = last = time.monotonic()
    shared, first, texts = entries("/dev/shm"), None, 0
    while True:
        characters = rng.integers(0x4E00, 0x9FFF, (rng.integers(1, 400), rng.integers(1, 80)))
        batch = ["".join(map(chr, each)) for each in characters] + ["", "a" * 5000, "😱"]
        encoder.encode(batch, batch_size=int(rng.integers(1, 600)))
        encoder.similarity(batch[:20], batch[:20])
        texts += len(batch)
        if rng.integers(20) == 0:
            with contextlib.redirect_stderr(io.StringIO()):
                encode_file(model / "best", [str(folder / "texts.txt")], folder / "vectors.parquet")
            encoder = SentenceEncoder.load(model / "best")
        now = time.monotonic()
        if now - last < SAMPLE_S and first:
            continue
        line = {
            "pid": pid,
            "seconds": now - last,
            "minute": (now - begun) / 60,
            "texts": texts,
            "memory": memory(pid),
            "handles": handles(pid),
            "threads": threads(pid),
            "processes": len(descendants(pid)),
            "temporary": len(entries(temporary)),
            "shared": len(entries("/dev/shm") - shared),
        }
        append(file, line)
        last, first = now, first or line
        if done + now - begun > 60 * minutes:
            break
    tempfile.tempdir = None
    shutil.rmtree(temporary)
    lines = samples(file)
    rows = [row("encode: memory, MiB", lines, "minute", "memory", MINUTE_MIB, "a minute")]
    for key in ("handles", "threads", "processes", "temporary"):
        rows.append(left(f"encode: {key}", first[key], line[key]))
    return rows


def ended(sweep: Path) -> int:
    """How many trials of a sweep have ended."""
    events = sweep / "events.jsonl"
    text = events.read_text() if events.exists() else ""
    return sum('"event": "end"' in each for each in text.splitlines())


def sweep_of(folder: Path, trials: int) -> list[dict[str, Any]]:
    """Run a sweep of so many tiny trials on a cluster of its own; rows of the table."""
    from distributed.sharding.shard import shard

    file, sweep, data = folder / "sweep.jsonl", folder / "sweep", folder / "data"
    if not data.exists():
        shard([str(SAMPLE / "df_train.json")], str(data))
    (folder / "space.yaml").write_text(SPACE)
    arguments = [sys.executable, "-m", "distributed", "tune", "--data", str(data)]
    arguments += ["--dev", str(SAMPLE / "df_dev.txt"), "--run", str(sweep), "--recipe", "fast"]
    arguments += ["--space", str(folder / "space.yaml"), "--trials", str(trials)]
    arguments += ["--scheduler", "none", "--max-concurrent", "2"]
    arguments += [part for setting in TINY for part in ("--set", setting)]
    arguments += ["--resume"] if sweep.exists() else []
    # Short, since the names of Ray's sockets are below it.
    temporary = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    own = {"TMPDIR": str(temporary), "RAY_TMPDIR": str(temporary), "SOAK_SESSION": str(os.getpid())}
    environment = {**os.environ, **own}
    environment.pop("RAY_ADDRESS", None)
    shared, begun = entries("/dev/shm"), time.monotonic()
    with (folder / "sweep.log").open("a") as log:
        driver = subprocess.Popen(
            arguments, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while driver.poll() is None:
            if count := ended(sweep):
                append(file, sweep_sample(driver.pid, count, temporary, begun))
            time.sleep(SAMPLE_S)
    finally:
        if driver.poll() is None:
            os.killpg(driver.pid, signal.SIGINT)
            driver.wait(GONE_S)
    end = time.monotonic() + GONE_S
    while (alive := of_session(os.getpid())) and time.monotonic() < end:
        time.sleep(0.5)
    if driver.returncode:
        sys.exit(f"the sweep failed: see {folder / 'sweep.log'}")
    # Without what comes when all have ended: results, the report.
    lines = [line for line in samples(file) if line["trials"] < trials]
    rows = [
        row(f"sweep: {what}", lines, "trials", key, allowed, "a trial")
        for what, key, allowed in (
            ("the driver's memory, MiB", "memory", TRIAL_MIB),
            ("the driver's handles", "handles", 0.01),
            ("the driver's threads", "threads", 0.01),
            ("all processes", "processes", 0.01),
            ("the raylet's shared memory, MiB", "object_store", TRIAL_MIB),
            ("Ray's session folder, MiB", "session", 1.0),
        )
    ]
    rest = [each for each in entries(temporary) if "/session_" not in each and "/ray" not in each]
    rows.append(left("sweep: processes", 0, len(alive)))
    rows.append(left("sweep: entries of /dev/shm", 0, len(entries("/dev/shm") - shared)))
    rows.append(left("sweep: temporary files, but Ray's session", 0, len(rest)))
    append(folder / "left.jsonl", {"alive": [command(p) for p in alive], "temporary": rest})
    shutil.rmtree(temporary, ignore_errors=True)
    return rows


def sweep_sample(driver: int, count: int, temporary: Path, begun: float) -> dict[str, Any]:
    """What a sweep holds now, in MiB and numbers."""
    others = descendants(driver)
    raylets = [pid for pid in others if command(pid) == "raylet"]
    return {
        "pid": driver,
        "seconds": time.monotonic() - begun,
        "trials": count,
        "memory": memory(driver),
        "handles": handles(driver),
        "threads": threads(driver),
        "processes": len(others),
        "all_memory": sum(map(memory, others)),
        "object_store": sum(memory(pid, "RssShmem") for pid in raylets),
        "session": size(temporary),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60, help="of encoding; 0: none")
    parser.add_argument("--trials", type=int, default=200, help="of the sweep; 0: none")
    parser.add_argument("--folder", type=Path, default=Path(".soak"), help="for what comes of it")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    rows = sweep_of(folder, options.trials) if options.trials else []
    rows += encode_for(folder, options.minutes) if options.minutes else []
    caption = CAPTION.format(minute=MINUTE_MIB, trial=TRIAL_MIB)
    show("What grows, and what is left over", rows, caption, options.json)
    if not all(each["flat"] for each in rows):
        sys.exit("something grows or is left over")


if __name__ == "__main__":
    main()
