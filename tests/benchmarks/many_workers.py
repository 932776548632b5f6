"""Many workers on logical CPUs: do they learn what one does, start, and outlive what goes wrong?

    python tests/benchmarks/many_workers.py [--workers 32] [--nodes 1] [--runs whole lost resumed]
        [--set key=value …] [--scratch DIR] [--json FILE]

A cluster is started here with as many CPUs as there are workers, however many the machine has: what
takes seconds on such a cluster takes them because the workers share the machine's cores. A tiny
encoder is trained by one worker, then by all (`whole`), then by all with one of them killed
(`lost`), then by all with the driver killed and started again with `--resume` (`resumed`). With
--scratch the runs stay there, and runs that are there already are not run again.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measured import show
from ray.cluster_utils import Cluster

from distributed.sharding.shard import shard
from siamese.storage.atomic import read_json, write_json

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from faults import SAMPLE, Running, weights, workers

BATCH = 64
# 10 steps an epoch.
SETTINGS = (
    "encoder.embedding_dim=16",
    "encoder.vectors=none",
    "encoder.lstm_units=[16]",
    f"sampling.batch_groups={BATCH}",
    "sampling.method=pairs",
    "loss.hard_negatives=0",
    "loss.ranking=0",
    "training.epochs=4",
    "training.patience=null",
)
CHECKPOINT_STEPS = 5
STEP = 14  # of the fault: a checkpoint and four steps are behind it
LIMIT = 540  # seconds that anything may take
LEAST_FREE = 3 << 10  # MiB; with less the machine would begin to end processes itself
AGREE = 1e-4
CAPTION = """
{nodes} node(s) of this one machine, {cpus} logical CPUs. workers up: from the command until the
workers say that they train; first step: until the log has it. a step: of the median epoch; the
first one, which traces, is left out. PSS: of a worker's memory, its share of what it shares
included; median of all. losses differ by: the largest relative difference of a logged loss from
one worker's; ROC AUC by: of what the epochs are judged by. same bytes: weights, moments and step
of the last checkpoint are those of the run `whole`. lost: a worker is killed at step {step};
resumed: the driver is, and the figures are those of the second command. Recipe fast with
{settings}; a checkpoint every {every} steps."""


def free_mb() -> int:
    """What the machine has left, in MiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) >> 10
    return 0


def pss_mb(pid: int) -> float:
    """Memory of a process in MiB: its own, and its share of what it shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


class Watch:
    """Ends a run, and this, when the machine's memory comes to its end."""

    def __init__(self, run: Running) -> None:
        self._run = run
        self.least = free_mb()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self._run.process.poll() is None:
            self.least = min(self.least, free_mb())
            if self.least < LEAST_FREE:
                self._run.kill()
                print(f"{self.least} MiB are left: stopped", flush=True)
                os._exit(1)
            time.sleep(0.5)


class Bench:
    """Runs of one data set on one cluster."""

    def __init__(self, scratch: Path, options: argparse.Namespace, address: str) -> None:
        self.scratch = scratch
        self.options = options
        self.address = address
        self.data = scratch / "data"
        if not self.data.exists():
            shard([str(SAMPLE / "df_train.json")], self.data)

    def start(self, folder: Path, count: int, *options: str) -> Running:
        """Start `siamese train`."""
        return Running(
            self.data,
            folder,
            *("--workers", str(count), *options),
            address=self.address,
            settings=(*SETTINGS, *self.options.settings),
            checkpoint_steps=CHECKPOINT_STEPS,
        )

    def figures(self, what: str, count: int) -> dict[str, Any]:
        """Carry a run out, unless its figures are there."""
        folder = self.scratch / f"{what}-{count}"
        file = folder.with_suffix(".json")
        if not file.exists():
            run = self.start(folder, count)
            try:
                found = self._watched(run, what, count)
            finally:
                if run.process.poll() is None:
                    run.kill()
            write_json(file, found)
        found = read_json(file)
        print(found, flush=True)
        return {
            **found,
            "losses": losses(folder),
            "areas": losses(folder, "roc_auc"),
            "weights": weights(folder),
        }

    def _watched(self, run: Running, what: str, count: int) -> dict[str, Any]:
        watch = Watch(run)
        if what == "resumed":
            run.wait_for_step(STEP, LIMIT)
            orphans = workers(run)
            fault = time.monotonic()
            run.kill()
            while any(Path(f"/proc/{pid}").exists() for pid in orphans):
                assert time.monotonic() < fault + LIMIT, "the workers outlive their driver"
                time.sleep(0.1)
            print(f"the workers ended {time.monotonic() - fault:.1f} s after the driver")
            run = self.start(run.run, count, "--resume")
            watch = Watch(run)
        up = run.wait_until(lambda run: f"training on {count} worker" in run.output, LIMIT)
        up = time.monotonic() - run.begun
        begun = len(run.log())
        run.wait_until(lambda run: len(run.log()) > begun + 1, LIMIT)
        first = time.monotonic() - run.begun
        run.wait_for_step(STEP, LIMIT)
        pids = workers(run) if self.options.nodes == 1 else all_workers()
        memory = median(map(pss_mb, pids))
        if what == "lost":
            os.kill(pids[-1], signal.SIGKILL)
            fault = time.monotonic()
            run.wait_until(lambda run: "(attempt 2)" in run.output, LIMIT)
            print(f"up again {time.monotonic() - fault:.1f} s after a worker was killed")
        if run.wait(LIMIT):
            sys.exit(f"the run failed:\n{run.output}")
        rates = [line["groups_per_second"] for line in run.log() if line["event"] == "evaluation"]
        return {
            "run": what,
            "workers": count,
            "workers up, s": round(up, 1),
            "first step, s": round(first, 1),
            "a step, s": round(BATCH / median(rates[1:]), 3),
            "all, s": round(time.monotonic() - run.begun, 1),
            "PSS, MiB": round(memory),
            "least free, MiB": watch.least,
        }


def all_workers() -> list[int]:
    """The processes of all workers on this machine: nobody else's run is at work meanwhile."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"RayTrainWorker" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def losses(folder: Path, name: str = "loss") -> list[tuple[int, float]]:
    """The logged losses, or another figure, each with its step."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line[name]) for line in lines if name in line]


def largest_difference(one: dict[str, Any], other: dict[str, Any], what: str) -> float:
    """Of the losses or the areas, relative."""
    steps, expected = zip(*one[what], strict=True)
    others, found = zip(*other[what], strict=True)
    assert steps == others
    return float(np.abs(np.array(found) / np.array(expected) - 1).max())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=32)
    parser.add_argument("--nodes", type=int, default=1, help="that share the workers equally")
    parser.add_argument("--runs", nargs="*", default=["whole", "lost", "resumed"])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--scratch", type=Path, help="a folder that is kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.workers % options.nodes:
        parser.error("--nodes must divide --workers")
    cpus = options.workers // options.nodes
    begun = time.monotonic()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus})
    try:
        for _ in range(options.nodes - 1):
            cluster.add_node(num_cpus=cpus)
        print(f"{options.nodes} node(s) up after {time.monotonic() - begun:.1f} s", flush=True)
        with tempfile.TemporaryDirectory() as name:
            bench = Bench(options.scratch or Path(name), options, cluster.address)
            one = bench.figures("one", 1)
            found = [bench.figures(what, options.workers) for what in options.runs]
    finally:
        cluster.shutdown()
    rows = []
    for each in [one, *found]:
        whole = next((run for run in found if run["run"] == "whole"), one)
        same = None if each is one or each is whole else each["weights"] == whole["weights"]
        rows.append(
            {
                **{key: each[key] for key in each if key not in ("losses", "areas", "weights")},
                "losses differ by": largest_difference(one, each, "losses"),
                "ROC AUC by": largest_difference(one, each, "areas"),
                "same bytes": same,
            }
        )
    caption = CAPTION.format(
        nodes=options.nodes,
        cpus=options.workers,
        step=STEP,
        every=CHECKPOINT_STEPS,
        settings=", ".join((*SETTINGS, *options.settings)),
    )
    show("Many workers on logical CPUs", rows, caption, options.json)
    differ = max(max(row["losses differ by"], row["ROC AUC by"]) for row in rows)
    if differ > AGREE or any(row["same bytes"] is False for row in rows):
        sys.exit("many workers did not learn what one does")


if __name__ == "__main__":
    main()
