"""What a run of 8 to 1,024 workers would cost, from what is measured on this machine.

    python tests/benchmarks/cost_model.py [--figures FILE] [--gigabits 10] [--latency 0.1]
        [--groups 64 512] [--nodes 1 2 4] [--picture FILE] [--json FILE]

Measured: steps of one worker and messages between two and four (`collectives.py`), a checkpoint,
and, on clusters of several nodes of this machine, the preflight, the start of the workers, and how
many reports the driver's monitor takes. Assumed: a network of so many gigabits a second and
milliseconds a message. All else is arithmetic: `step_parts` has it all. With --figures, what is
measured is kept in that file, or taken from it if it is there.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from collectives import measure_all
from measured import show
from scipy.optimize import nnls

from siamese.report.drawing import FAINT, LINES, chinese_style, png_of
from siamese.storage.atomic import read_json, write_json

WORKERS = (8, 16, 32, 64, 128, 256, 512, 1024)
# Of the whole batch, in the picture of efficiency.
BATCHES = (4_096, 65_536, 1_048_576)
ENOUGH = 0.8
REPORTS = 2000
PARTS = ("compute", "latency", "embeddings", "gradients")

MEASURED = """
One worker's step of b groups: {fixed:.1f} ms + {group:.3f} ms a group + {pair:.2e} ms for each
group that a group is compared with. An all_reduce: {call:.2f} ms + {hop:.3f} ms a message +
{byte:.2f} ns a byte that a worker sends; {reduces} of them a step. Fitted to the rows of
`collectives.py`, whose largest difference is {worst:.0%}. The encoder: {parameters:,} parameters,
{embedding} numbers a text."""
TABLE = """
{groups} groups a worker: seconds of a step, and the MB that each sends. efficiency: the time of
one worker with the same whole batch, divided by the workers' time in all. batch for 80 %: the
smallest batch of a power of two times the workers with that efficiency. Assumed: {gigabits}
Gbit/s and {latency} ms a message besides what a message costs here. Derived: a worker has
arithmetic for its groups, and for each of them against the whole batch; each all_reduce is 2 (N -
1) messages one after the other, and 2 (N - 1) / N of its bytes."""
START = """
Nodes of one CPU each, all on this machine's {cores} cores, which start everything in turns: a
cluster of machines starts its nodes at once, and what remains is what one process does for each:
the CPU seconds of the driver, of Ray Train's controller and of Ray's head. The monitor takes
{reports:,.0f} reports a second; a worker sends one every ten seconds. A checkpoint of the recipe
default is {megabytes:.1f} MB and takes the first worker {checkpoint:.2f} s, while all wait."""


class Fit(NamedTuple):
    """What is fitted: seconds.

    Attributes:
        fixed: of a step, whatever its size.
        group: for each of a worker's groups.
        pair: for each group that one of its groups is compared with.
        call: of an all_reduce, whatever its size.
        hop: for each message of it.
        byte: for each byte that a worker sends.
        worst: the largest relative difference of what was measured from what is fitted.
    """

    fixed: float
    group: float
    pair: float
    call: float
    hop: float
    byte: float
    worst: float


def fit(found: list[dict[str, Any]]) -> Fit:
    """Fit the figures of `collectives.measure_all`; each counts alike, and none is negative."""
    groups, taken = np.array(found[0]["steps"]).T
    of_step, step_worst = _least_squares([np.ones_like(groups), groups, groups**2], taken)
    rows = [(each["workers"], size, t) for each in found[1:] for size, t in each["reduce"]]
    workers, sizes, taken = np.array(rows).T
    sent = 2 * (workers - 1) / workers * sizes
    of_message, worst = _least_squares([np.ones_like(sent), 2 * (workers - 1), sent], taken)
    return Fit(*of_step, *of_message, max(step_worst, worst))


def _least_squares(columns: list[np.ndarray], taken: np.ndarray) -> tuple[list[float], float]:
    relative = np.stack(columns, axis=1) / taken[:, None]
    found, _ = nnls(relative, np.ones(len(taken)))
    return found.tolist(), float(np.abs(relative @ found - 1).max())


class Network(NamedTuple):
    """What is assumed: seconds a byte and a message, on top of what a message costs here."""

    byte: float
    hop: float


def step_parts(
    workers: int, groups: float, alone: dict[str, Any], reduces: int, of: Fit, network: Network
) -> dict[str, float]:
    """The seconds of a step of so many groups a worker.

    Args:
        workers: N.
        groups: of each worker, b.
        alone: the figures of one worker, with the sizes of the encoder.
        reduces: all_reduces a step.
        of: what was fitted.
        network: what is assumed.
    """
    parts = dict.fromkeys(PARTS, 0.0)
    parts["compute"] = of.fixed + of.group * groups + of.pair * groups * groups * workers
    if workers > 1:
        messages = reduces * 2 * (workers - 1)
        parts["latency"] = reduces * of.call + messages * (of.hop + network.hop)
        byte = max(of.byte, network.byte)
        parts["embeddings"] = byte * sent_bytes(workers, groups, alone)[0]
        parts["gradients"] = byte * sent_bytes(workers, groups, alone)[1]
    return parts


def sent_bytes(workers: int, groups: float, alone: dict[str, Any]) -> tuple[float, float]:
    """What a worker sends a step: for the embeddings of all and their gradient; for gradients.

    A group has two rows; a row a hash of 8 bytes, and twice (there and back) its 32-bit numbers.
    """
    ring = 2 * (workers - 1) / workers
    rows = 2 * groups * workers
    return ring * rows * (8 + 2 * 4 * alone["embedding"]), ring * 4 * alone["parameters"]


def efficiency(workers: int, groups: float, *arguments: Any) -> float:
    """How much of the workers' time one worker would need for the same batch."""
    one = step_parts(1, groups * workers, *arguments)["compute"]
    return one / workers / sum(step_parts(workers, groups, *arguments).values())


def batch_for(enough: float, workers: int, *arguments: Any) -> int | None:
    """The smallest batch of a power of two times the workers with that efficiency; or none."""
    for power in range(20):
        if efficiency(workers, 2**power, *arguments) >= enough:
            return workers * 2**power
    return None


def start_figures(nodes: list[int]) -> dict[str, Any]:
    """What the preflight and the start of one worker a node take, by the number of nodes."""
    import ray
    from ray.cluster_utils import Cluster

    sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
    from faults import SAMPLE, Running

    from distributed.cluster.preflight import Request, preflight
    from distributed.keras.driver_link import Monitor
    from distributed.sharding.shard import shard
    from siamese.training.execution import Execution

    rows, rate = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        shard([str(SAMPLE / "df_train.json")], data)
        for count in nodes:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            try:
                for _ in range(count - 1):
                    cluster.add_node(num_cpus=1)
                ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
                request = Request(Execution(workers=(count, count)))
                begun, cpu = time.monotonic(), time.process_time()
                preflight(request, read=[str(data)], run=f"{name}/none")
                row = {
                    "nodes": count,
                    "preflight, s": time.monotonic() - begun,
                    "its driver, CPU s": time.process_time() - cpu,
                }
                monitor: Any = Monitor.remote()  # type: ignore[attr-defined]
                ray.get(monitor.take.remote())
                begun = time.monotonic()
                ray.get([monitor.report.remote("heartbeat") for _ in range(REPORTS)])
                rate = REPORTS / (time.monotonic() - begun)
                ray.shutdown()
                options = ("--workers", str(count))
                settings = ("encoder.vectors=none", "training.epochs=1")
                run = Running(
                    data,
                    Path(name) / f"run-{count}",
                    *options,
                    address=cluster.address,
                    settings=settings,
                )
                head = cpu_seconds("gcs_server")
                try:
                    run.wait_until(lambda run: "training on" in run.output, 500)
                    row["workers up, s"] = time.monotonic() - run.begun
                    row["driver, CPU s"] = cpu_seconds(pid=run.process.pid)
                    row["controller, CPU s"] = cpu_seconds("TrainController")
                    row["head, CPU s"] = cpu_seconds("gcs_server") - head
                finally:
                    run.kill()
                rows.append(row)
                print(row, flush=True)
            finally:
                ray.shutdown()
                cluster.shutdown()
    return {"rows": rows, "reports_per_second": rate}


def cpu_seconds(name: str = "", pid: int | None = None) -> float:
    """The CPU time of a process, or of all on this machine whose command has that name in it."""
    total = 0
    for folder in [Path(f"/proc/{pid}")] if pid else Path("/proc").glob("[0-9]*"):
        try:
            if name.encode() in (folder / "cmdline").read_bytes():
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


def table(groups: int, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
    """A row for each number of workers, with so many groups each."""
    rows = []
    for workers in WORKERS:
        parts = step_parts(workers, groups, *arguments)
        step = sum(parts.values())
        rows.append(
            {
                "workers": workers,
                "batch": workers * groups,
                **{name: parts[name] for name in PARTS},
                "step": step,
                "sent, MB": round(sum(sent_bytes(workers, groups, arguments[0])) / 1e6),
                "efficiency": efficiency(workers, groups, *arguments),
                "batch for 80 %": batch_for(ENOUGH, workers, *arguments),
            }
        )
    return rows


def plot(groups: int, arguments: tuple[Any, ...]) -> bytes:
    """Where a step's time goes by the number of workers, and the efficiency of whole batches."""
    from matplotlib.figure import Figure

    with chinese_style():
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        bottom = np.zeros(len(WORKERS))
        places = np.arange(len(WORKERS))
        for part, (colour, _, _) in zip(PARTS, LINES, strict=False):
            heights = np.array([step_parts(n, groups, *arguments)[part] for n in WORKERS])
            left.bar(places, heights, bottom=bottom, color=colour, label=part, width=0.7)
            bottom += heights
        left.set_title(f"Seconds of a step, {groups} groups a worker")
        left.set_xticks(places, [f"{n:,}" for n in WORKERS])
        left.legend()
        for batch, (colour, dashes, marker) in zip(BATCHES, LINES, strict=False):
            values = [100 * efficiency(n, batch / n, *arguments) for n in WORKERS]
            style = {"color": colour, "linestyle": dashes, "marker": marker}
            right.semilogx(WORKERS, values, base=2, label=f"batch of {batch:,}", **style)
        right.axhline(100 * ENOUGH, color=FAINT, linestyle=":")
        right.set_ylim(0, 105)
        right.set_title("Efficiency, %")
        right.set_xticks(WORKERS, [f"{n:,}" for n in WORKERS])
        right.legend()
        for axes in (left, right):
            axes.set_xlabel("workers")
        return png_of(figure)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--figures", type=Path, help="what was measured: kept, or taken from there")
    parser.add_argument("--gigabits", type=float, default=10, help="a second, of the network")
    parser.add_argument("--latency", type=float, default=0.1, help="ms a message, of the network")
    parser.add_argument("--groups", type=int, nargs="+", default=[64, 512], help="of a worker")
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4], help="started here")
    parser.add_argument("--picture", type=Path, help="draw the figures into this file, a PNG")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.figures and options.figures.exists():
        figures = read_json(options.figures)
    else:
        figures = {"messages": measure_all([2, 4]), "start": start_figures(options.nodes)}
        if options.figures:
            write_json(options.figures, figures)
    alone, together = figures["messages"][0], figures["messages"][-1]
    of = fit(figures["messages"])
    network = Network(8 / options.gigabits / 1e9, options.latency / 1000)
    reduces = together["counts"]["reduces"]
    arguments = (alone, reduces, of, network)
    in_ms = {name: 1000 * value for name, value in of._asdict().items()}
    measured = MEASURED.format(
        **{**in_ms, "byte": 1e9 * of.byte, "worst": of.worst},
        **{name: alone[name] for name in ("parameters", "embedding")},
        reduces=reduces,
    )
    print(" ".join(measured.split()))
    for groups in options.groups:
        caption = TABLE.format(groups=groups, gigabits=options.gigabits, latency=options.latency)
        show("Steps of many workers, derived", table(groups, arguments), caption, options.json)
    caption = START.format(
        cores=len(os.sched_getaffinity(0)),
        reports=figures["start"]["reports_per_second"],
        megabytes=alone["checkpoint_bytes"] / 1e6,
        checkpoint=alone["checkpoint_seconds"],
    )
    if figures["start"]["rows"]:
        show("Start by the number of nodes", figures["start"]["rows"], caption, options.json)
    if options.picture:
        options.picture.write_bytes(plot(options.groups[0], arguments))


if __name__ == "__main__":
    main()
