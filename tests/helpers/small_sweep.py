"""Sweeps of small trials, in processes of their own, and what they leave."""

import os
import subprocess
import sys
from pathlib import Path

import yaml
from faults import SAMPLE, SETTINGS

from distributed.sweep.folder import SweepFolder
from distributed.sweep.trial_log import TrialLog, read_trials

DEV, TEST = SAMPLE / "df_dev.txt", SAMPLE / "df_test.txt"


def command(data: Path, run: Path, space: Path | str, *options: str) -> list[str]:
    """`siamese tune` of small trials."""
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return [
        *(sys.executable, "-m", "distributed", "tune", "--data", str(data), "--dev", str(DEV)),
        *("--run", str(run), "--space", str(space), "--recipe", "fast", *settings, *options),
    ]


def start(
    data: Path, run: Path, space: Path | str, *options: str, address: str | None = None
) -> subprocess.Popen:
    """Start it in a process group of its own, its output beside the run."""
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    if address:
        environment["RAY_ADDRESS"] = address
    with run.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            command(data, run, space, *options),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
        )


def trials_of(run: Path) -> dict[int, TrialLog]:
    return read_trials(SweepFolder(str(run)).events())


def space_file(folder: Path, **settings: dict) -> Path:
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file
