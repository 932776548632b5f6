"""What a step costs a worker, and what the workers' messages cost, by their number and size.

    python tests/benchmarks/collectives.py [--processes 2 4] [--json FILE]

Processes on this machine, without Ray, one thread of TensorFlow's each: alone, the training steps
of one worker by their number of groups; together, `all_gather` and `all_reduce` by bytes, and a
training step. Where there are more processes than cores they wait for each other's.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from measured import show

STEPS = (16, 64, 256, 1024, 2048)
SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 23)
# Groups of each worker in the step that several take together.
GROUPS = 64
CAPTION = """
Medians. all_gather: bytes is what each process has in the end; TensorFlow gathers the shapes
first, so it passes two rings. all_reduce: of so many bytes. A step: of the recipe default on groups
of two texts of 16 characters. gathers, reduces: how many a step has, those of the shapes
included."""


def timed(call: Callable[[], Any], times: int) -> float:
    """The median of so many calls, after two that do not count."""
    taken = []
    for number in range(times + 2):
        start = time.perf_counter()
        call()
        if number > 1:
            taken.append(time.perf_counter() - start)
    return median(taken)


def be_a_worker(steps: list[int], sizes: list[int]) -> dict[str, Any]:
    """Measure, together with the other workers that `TF_CONFIG` names."""
    from siamese.encoder.keras_tf import tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    import growth

    from siamese.training.checkpoint import Progress, save_checkpoint

    world = len(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])
    strategy, counts = tf.distribute.get_strategy(), Counter[str]()
    if world > 1:
        kind = tf.distribute.experimental.CommunicationImplementation.RING
        options = tf.distribute.experimental.CommunicationOptions(implementation=kind)
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        counts = count_collectives()
    found: dict[str, Any] = {"workers": world, "steps": [], "gather": [], "reduce": []}
    for groups in steps:
        counts.clear()
        built = growth.build(groups=groups, strategy=strategy)
        taken = timed(lambda built=built: built.take().numpy(), 5 if groups > 500 else 15)
        found["steps"].append([groups, taken])
        found["counts"] = dict(counts)
        found["parameters"] = sum(int(v.shape.num_elements()) for v in built.model.variables)
        found["embedding"] = built.model.output_shape[-1]
    if world == 1:
        with tempfile.TemporaryDirectory() as name:
            save = lambda: save_checkpoint(Path(name), built.model, built.optimizer, Progress())  # noqa: E731
            found["checkpoint_seconds"] = timed(save, 5)
            found["checkpoint_bytes"] = sum(file.stat().st_size for file in Path(name).iterdir())
        return found

    @tf.function(autograph=False)
    def gather(values: tf.Tensor) -> tf.Tensor:
        def of_all(mine: tf.Tensor) -> tf.Tensor:
            # An argument has no device, which a collective asks for.
            return tf.distribute.get_replica_context().all_gather(tf.identity(mine), axis=0)

        return strategy.run(of_all, (values,))

    @tf.function(autograph=False)
    def reduce(values: tf.Tensor) -> tf.Tensor:
        def of_all(mine: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(mine))

        return strategy.run(of_all, (values,))

    for size in sizes:
        times = 10 if size > 1 << 20 else 30
        share, whole = tf.zeros([size // 4 // world, 1]), tf.zeros([size // 4])
        found["gather"].append([size, timed(lambda x=share: gather(x).numpy(), times)])
        found["reduce"].append([size, timed(lambda x=whole: reduce(x).numpy(), times)])
    return found


def count_collectives() -> Counter[str]:
    """Count the collectives of the steps that are traced from now on."""
    from tensorflow.python.distribute.cross_device_utils import CollectiveReplicaLauncher

    counts: Counter[str] = Counter()
    for method, name in (("_all_gather", "gathers"), ("all_reduce", "reduces")):
        original = getattr(CollectiveReplicaLauncher, method)

        def counted(
            *arguments: Any, original: Any = original, name: str = name, **more: Any
        ) -> Any:
            counts[name] += 1
            return original(*arguments, **more)

        setattr(CollectiveReplicaLauncher, method, counted)
    return counts


def measure(processes: int, steps: tuple[int, ...], sizes: tuple[int, ...]) -> dict[str, Any]:
    """What so many processes find; the first one's figures."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(processes)]
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in probes]
    for probe in probes:
        probe.close()
    workers = []
    for rank in range(processes):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        command = [sys.executable, __file__, "--worker"]
        command += ["--steps", *map(str, steps), "--sizes", *map(str, sizes)]
        workers.append(
            subprocess.Popen(
                command,
                env={**os.environ, "TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
    try:
        outputs = [worker.communicate(timeout=600)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    found: dict[str, Any] = json.loads(outputs[0].splitlines()[-1])
    return found


def measure_all(processes: list[int]) -> list[dict[str, Any]]:
    """One process with its steps, then several with their messages."""
    alone = measure(1, STEPS, ())
    together = []
    for count in processes:
        together.append(measure(count, (GROUPS,), SIZES))
        print(together[-1], flush=True)
    return [alone, *together]


def rows_of(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures as rows of a table."""
    rows = []
    for each in found:
        for groups, taken in each["steps"]:
            what = f"a step of {groups:,} groups a worker"
            rows.append({"processes": each["workers"], "what": what, "ms": 1000 * taken})
        for kind in ("gather", "reduce"):
            for size, taken in each[kind]:
                what = f"all_{kind} of {size / 1024:,.0f} KiB"
                rows.append({"processes": each["workers"], "what": what, "ms": 1000 * taken})
        for name, count in each.get("counts", {}).items():
            rows.append({"processes": each["workers"], "what": f"{name}: {count}", "ms": None})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(be_a_worker(options.steps, options.sizes)))
        return
    show("Steps and messages", rows_of(measure_all(options.processes)), CAPTION, options.json)


if __name__ == "__main__":
    main()
