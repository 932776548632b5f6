"""What a killed worker, a hanging one, a lost node and a killed driver cost a run of two workers.

    python tests/benchmarks/faults.py [--json FILE]

Each fault happens once, to a run of its own, and all bytes of the last checkpoint are compared with
those of a run of the same kind that nothing happened to.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from measured import show
from ray.cluster_utils import Cluster

from distributed.sharding.shard import shard

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults import SAMPLE, SETTINGS, Running, weights, workers

# In the middle of the first of three epochs of 164 steps, and soon after a checkpoint. The workers
# of a killed driver go on for some seconds, and must not come to the run's end.
STEP = 110
CHECKPOINT_STEPS = 50
RECIPE = (*(setting for setting in SETTINGS if "epochs" not in setting), "training.epochs=3")
STALL_SECONDS = 10
# Seconds that anything may take.
LIMIT = 300
ONE_MACHINE = ("--workers", "2")
TWO_NODES = ("--workers", "2", "--cpus-per-worker", "2")
CAPTION = """
lost: seconds from the fault until the log again had the last step that it had before. repeated: the
logged steps that were taken again, from the last checkpoint on (--checkpoint-steps {steps}).
all: seconds from the command to the end. same bytes: the last checkpoint's weights, moments and
step are those of the run above that nothing happened to. The workers of a killed driver go on for
some seconds; --resume is given once they are gone. Recipe fast with {settings}. The upper runs have
two workers of one CPU and start a cluster of their own, the resumed one another. The lower ones
have two workers of two CPUs on two nodes of two CPUs; a spare node, running already, takes the
place of the lost one. All nodes are on this machine, so nothing is faster for having two."""


@contextmanager
def started(data: Path, folder: Path, *options: str, address: str | None = None) -> Iterator[Any]:
    """A run, which is ended should anything go wrong."""
    run = Running(
        data,
        folder,
        *options,
        address=address,
        settings=RECIPE,
        checkpoint_steps=CHECKPOINT_STEPS,
    )
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.kill()


def undisturbed(what: str, run: Running) -> dict[str, Any]:
    """Let a run end; a row of the table."""
    finish(run)
    return row(what, run.begun)


def disturbed(
    what: str, run: Running, disturb: Callable[[Running], None], whole: Path
) -> dict[str, Any]:
    """Disturb a run, which mends itself; a row of the table."""
    run.wait_for_step(STEP, LIMIT)
    last, fault = run.last_step(), time.monotonic()
    disturb(run)
    lost, repeated = catch_up(run, last, fault)
    finish(run)
    return row(what, run.begun, lost, repeated, weights(run.run) == weights(whole))


def resumed(what: str, data: Path, folder: Path, whole: Path) -> dict[str, Any]:
    """Kill the driver of a run and go on with `--resume`; a row of the table."""
    with started(data, folder, *ONE_MACHINE) as run:
        begun = run.begun
        run.wait_for_step(STEP, LIMIT)
        orphans, fault = workers(run), time.monotonic()
        run.kill()
        while any(Path(f"/proc/{pid}").exists() for pid in orphans):
            assert time.monotonic() < fault + LIMIT, "the workers outlive their driver"
            time.sleep(0.02)
        last = run.last_step()
    with started(data, folder, *ONE_MACHINE, "--resume") as run:
        lost, repeated = catch_up(run, last, fault)
        finish(run)
    return row(what, begun, lost, repeated, weights(folder) == weights(whole))


def catch_up(run: Running, last: int, fault: float) -> tuple[float, int]:
    """Wait until the log again has that step; seconds since the fault, and steps repeated."""
    run.wait_until(lambda run: len(starts(run)) > 1, LIMIT)
    back = run.wait_for_step(last, LIMIT)
    return back - fault, last - starts(run)[-1]["step"]


def starts(run: Running) -> list[dict[str, Any]]:
    """The `start` events of the log: one for each time that the workers began."""
    return [line for line in run.log() if line["event"] == "start"]


def send(number: signal.Signals, run: Running) -> None:
    """Send a signal to the second worker."""
    os.kill(workers(run)[1], number)


def finish(run: Running) -> None:
    if run.wait(LIMIT):
        sys.exit(f"the run failed:\n{run.output}")


def row(
    what: str,
    begun: float,
    lost: float | None = None,
    repeated: int | None = None,
    same: bool | None = None,
) -> dict[str, Any]:
    """A row of the table, of a run that has ended just now."""
    return {
        "what happens": what,
        "lost, s": lost and round(lost, 1),
        "repeated, steps": repeated,
        "all, s": round(time.monotonic() - begun, 1),
        "same bytes": same,
    }


def on_one_machine(data: Path, scratch: Path) -> list[dict[str, Any]]:
    """Without a fault, then a killed worker, a hanging one, and a killed driver."""
    whole = scratch / "whole"
    with started(data, whole, *ONE_MACHINE) as run:
        rows = [undisturbed("nothing", run)]
    with started(data, scratch / "killed", *ONE_MACHINE) as run:
        rows.append(disturbed("a worker is killed", run, partial(send, signal.SIGKILL), whole))
    options = (*ONE_MACHINE, "--stall-seconds", str(STALL_SECONDS))
    with started(data, scratch / "hanging", *options) as run:
        what = f"a worker hangs, --stall-seconds {STALL_SECONDS}"
        rows.append(disturbed(what, run, partial(send, signal.SIGSTOP), whole))
    what = "the driver is killed, --resume follows"
    rows.append(resumed(what, data, scratch / "driver", whole))
    return rows


def on_two_nodes(data: Path, scratch: Path) -> list[dict[str, Any]]:
    """Without a fault, then a lost node: each node has room for one of the two workers."""
    whole = scratch / "whole-nodes"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        node = cluster.add_node(num_cpus=2)

        def lose(_: Running) -> None:
            cluster.remove_node(node, allow_graceful=False)

        with started(data, whole, *TWO_NODES, address=cluster.address) as run:
            rows = [undisturbed("nothing, two nodes", run)]
        with started(data, scratch / "node", *TWO_NODES, address=cluster.address) as run:
            run.wait_until(starts, LIMIT)
            cluster.add_node(num_cpus=2)
            rows.append(disturbed("one of two nodes is lost", run, lose, whole))
    finally:
        cluster.shutdown()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        data = scratch / "data"
        shard([str(SAMPLE / "df_train.json")], data)
        rows = on_one_machine(data, scratch) + on_two_nodes(data, scratch)
    caption = CAPTION.format(steps=CHECKPOINT_STEPS, settings=", ".join(RECIPE))
    show("What faults cost a run of two workers", rows, caption, options.json)
    if any(row["same bytes"] is False for row in rows):
        sys.exit("a fault has changed what comes out")


if __name__ == "__main__":
    main()
