"""A training run in a process of its own, which can be watched and disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from paths import SAMPLE

# 164 steps an epoch, some milliseconds each.
SETTINGS = (
    "encoder.embedding_dim=16",
    "encoder.vectors=none",
    "encoder.lstm_units=[16]",
    "encoder.dropout=0.2",
    "sampling.batch_groups=4",
    "sampling.method=pairs",
    "loss.hard_negatives=0",
    "loss.ranking=0",
    "training.epochs=2",
    "training.patience=null",
)


class Running:
    """`siamese train` on the sample, in a process group of its own.

    Args:
        data: the data set.
        run: the run folder.
        options: of `siamese train`.
        address: of the cluster; by default the run starts one.
        settings: of the recipe.
        checkpoint_steps: steps between checkpoints.
    """

    def __init__(
        self,
        data: Path,
        run: Path,
        *options: str,
        address: str | None = None,
        settings: tuple[str, ...] = SETTINGS,
        checkpoint_steps: int = 20,
    ) -> None:
        self.run = run
        command = [sys.executable, "-m", "distributed", "train", "--data", str(data)]
        command += ["--dev", str(SAMPLE / "df_dev.txt"), "--run", str(run), "--recipe", "fast"]
        command += ["--checkpoint-steps", str(checkpoint_steps)]
        command += [part for setting in settings for part in ("--set", setting)]
        environment = dict(os.environ)
        environment.pop("RAY_ADDRESS", None)
        if address:
            environment["RAY_ADDRESS"] = address
        self.log_file = run.with_suffix(".log")
        self.begun = time.monotonic()
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """What it has printed."""
        return self.log_file.read_text()

    def log(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        try:
            lines = (self.run / "metrics.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait_until(self, what: Callable[["Running"], Any], seconds: float = 90) -> Any:
        """Wait until `what` is true of it, and return that."""
        end = time.monotonic() + seconds
        while not (found := what(self)):
            assert self.process.poll() is None, f"ended: {self.output}"
            assert time.monotonic() < end, f"not within {seconds} s: {self.output}"
            time.sleep(0.02)
        return found

    def wait_for_step(self, step: int, seconds: float = 90) -> float:
        """Wait until so many steps were taken, and return when that was."""
        self.wait_until(lambda run: run.last_step() >= step, seconds)
        return time.monotonic()

    def last_step(self) -> int:
        """The last step in the log."""
        return max((line["step"] for line in self.log() if line["event"] == "train"), default=0)

    def wait(self, seconds: float = 150) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL the driver, and with it a cluster that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def chief(run: Running) -> int:
    """The process of the first worker."""
    starts = [line for line in run.log() if line["event"] == "start"]
    return int(starts[-1]["pid"])


def workers(run: Running) -> list[int]:
    """The processes of all workers on the first one's node, the first one first."""
    first = chief(run)
    parent = _parent(first)
    found = [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and _is_worker(path) and _parent(int(path.name)) == parent
    ]
    return sorted(found, key=lambda pid: (pid != first, pid))


def _is_worker(path: Path) -> bool:
    try:
        return b"RayTrainWorker" in (path / "cmdline").read_bytes()
    except OSError:
        return False


def _parent(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1
    return int(fields[1])


def weights(run: Path) -> dict[str, bytes]:
    """Every number of the last checkpoint: weights, moments, step."""
    newest = max((run / "checkpoints").glob("step-*"))
    with np.load(newest / "variables.npz", allow_pickle=False) as values:
        return {name: values[name].tobytes() for name in values.files}
