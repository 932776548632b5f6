"""What a second worker brings: groups a second of two workers of one core against one worker.

    python tests/benchmarks/scaling.py [--data DIR --dev PAIRS] [--batch-groups 512 1024]
        [--epochs 3] [--recipe default] [--set key=value …] [--repeat 2] [--pin] [--json FILE]

Both train the same recipe on the same global batches, in turns, and must come to the same losses.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from measured import show

from distributed.sharding.shard import shard

SAMPLE = Path(__file__).parents[2] / "data" / "siamese"
WORKERS = (1, 2)
# Relative difference of two losses that agree to four digits.
AGREE = 1e-4
CAPTION = """
Groups a second: the median of all but the first epoch, which traces; runs of each kind: {repeat}.
Recipe {recipe}{settings}, {epochs} epochs. Every worker trains with one thread of TensorFlow's and
makes batches in another. {pinned}"""
PINNED = """
Pinned (--pin): all processes of a run, Ray's own among them, share as many cores as the run has
workers, so one worker's batches and Ray take their time from the one core it trains on."""
NOT_PINNED = """
Not pinned: where a core is free, one worker makes its batches there and Ray works there; --pin
leaves a run as many cores as it has workers."""


def run(
    workers: int, batch_groups: int, folder: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Train on a cluster of its own; the `evaluation` events."""
    command = [sys.executable, "-m", "distributed", "train", "--recipe", options.recipe]
    command += ["--data", str(options.data), "--dev", str(options.dev), "--run", str(folder)]
    command += ["--workers", str(workers), "--cpus-per-worker", "1"]
    settings = [
        *options.settings,
        f"sampling.batch_groups={batch_groups}",
        f"training.epochs={options.epochs}",
        "training.patience=null",
    ]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = dict(os.environ)
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_pin_to(workers) if options.pin else None,
    )
    if done.returncode:
        sys.exit(f"the run failed:\n{done.stdout}")
    events = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == "evaluation"]


def _pin_to(count: int) -> Callable[[], None]:
    """What pins a process and all that it will start to so many cores."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, cores)


def compare(batch_groups: int, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train with one worker and with two, in turns; a row of the table."""
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    losses: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for number in range(options.repeat):
        for workers in WORKERS:
            folder = scratch / f"{batch_groups}-{workers}-{number}"
            evaluations = run(workers, batch_groups, folder, options)
            rates[workers] += [event["groups_per_second"] for event in evaluations[1:]]
            losses[workers] += [event["loss"] for event in evaluations]
    one, two = (median(rates[workers]) for workers in WORKERS)
    difference = max(abs(a - b) / a for a, b in zip(*losses.values(), strict=True))
    return {
        "batch": batch_groups,
        "1 worker, groups/s": round(one, 1),
        "2 workers, groups/s": round(two, 1),
        "ratio": round(two / one, 3),
        "losses differ by": difference,
        "agree to 4 digits": difference < AGREE,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, help="a data set; else the sample, in batches of 256")
    parser.add_argument("--dev", type=Path, default=SAMPLE / "df_dev.txt")
    parser.add_argument("--batch-groups", type=int, nargs="+")
    parser.add_argument("--epochs", type=int, default=3, help="two or more")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each kind")
    parser.add_argument("--pin", action="store_true", help="to as many cores as there are workers")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.epochs < 2:
        parser.error("--epochs: the first one is not counted, so give two or more")
    batches = options.batch_groups or ([512, 1024] if options.data else [256])
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if not options.data:
            options.data = scratch / "data"
            shard([str(SAMPLE / "df_train.json")], options.data)
        rows = [compare(batch_groups, scratch, options) for batch_groups in batches]
    caption = CAPTION.format(
        repeat=options.repeat,
        recipe=options.recipe,
        settings="".join(f", {setting}" for setting in options.settings),
        epochs=options.epochs,
        pinned=PINNED if options.pin else NOT_PINNED,
    )
    show("One worker of one core against two", rows, caption, options.json)
    if not all(row["agree to 4 digits"] for row in rows):
        sys.exit("the losses differ")


if __name__ == "__main__":
    main()
