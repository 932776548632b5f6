"""Seconds until an encoder is as good as one wants: ROC AUC against time, by workers and recipes.

    python tests/benchmarks/time_to_quality.py CORPUS [--target 0.84] [--workers 0 1 2]
        [--recipes default "best sampling.batch_groups=256"] [--seeds 1 2 3] [--against CHECKOUT]
        [--folder DIR] [--picture FILE] [--json FILE]

CORPUS is a folder with `train_pairs.tsv` (or `df_train.json`) and `df_test.txt`, whose pairs judge
every epoch. Ways are compared run by run, in turns. All processes of a run, Ray's own among them,
share as many cores as it has workers; a run without Ray (0 workers) has all cores. CHECKOUT is a
folder with another version of this repository, whose `default` then runs without Ray. A line is
printed after each run; with --folder, runs that are there already are not run again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from measured import show

ROOT = Path(__file__).parents[2]
CAPTION = """
Seconds until the ROC AUC of an epoch is {target} or more, medians of the seeds {seeds}: of training
and evaluation since the first step, and since the command was given. A dash: some seed did not get
there. Ratio: of the seconds since the first step, to the first way's. Best: the median of the best
epochs.
"""


class Way(NamedTuple):
    """One of the ways to train that are compared.

    Attributes:
        recipe: its name, then settings, such as `default training.epochs=8`.
        workers: of Ray Train; 0: without Ray.
        checkout: where the code is.
    """

    recipe: str
    workers: int
    checkout: Path = ROOT

    @property
    def name(self) -> str:
        """Name it for people."""
        where = "" if self.checkout == ROOT else f", {self.checkout.name}"
        return f"{self.recipe}, {self.workers or 'no'} worker{'s' * (self.workers != 1)}{where}"


def run(way: Way, seed: int, corpus: Path, scratch: Path) -> dict[str, Any]:
    """Train once; the run's epochs with the seconds that they ended at."""
    data = scratch / f"data-{way.checkout.name}"
    if not data.exists():
        groups = next(
            file
            for name in ("train_pairs.tsv", "df_train.json")
            if (file := corpus / name).exists()
        )
        _command(way, ["shard", str(groups), "--output", str(data)]).communicate()
    folder = scratch / "run"
    recipe, *settings = way.recipe.split()
    options = ["--data", str(data), "--dev", str(corpus / "df_test.txt"), "--run", str(folder)]
    options += ["--recipe", recipe, "--fresh", "--workers", str(way.workers)]
    for setting in (*settings, f"seed={seed}", "training.patience=null"):
        options += ["--set", setting]
    if way.workers:
        options += ["--cpus-per-worker", "1"]
    begun = time.monotonic()
    process = _command(way, ["train", *options])
    ends, said = [], []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if line.startswith("epoch") and "roc_auc" in line:
            ends.append(time.monotonic() - begun)
    if process.wait():
        sys.exit(f"the run failed:\n{''.join(said)}")
    events = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    epochs = [event for event in events if event["event"] == "evaluation"]
    trained, curve = 0.0, []
    for epoch, end in zip(epochs, ends, strict=True):
        trained += epoch["train_seconds"] + epoch["evaluation_seconds"]
        curve.append({"trained": trained, "since command": end, "roc_auc": epoch["roc_auc"]})
    return {"way": way.name, "seed": seed, "curve": curve}


def _command(way: Way, arguments: list[str]) -> subprocess.Popen[str]:
    """Start a command of a way's version of this repository, on as many cores as it has workers."""
    environment = {**os.environ, "PYTHONPATH": str(way.checkout)}
    environment.pop("RAY_ADDRESS", None)
    return subprocess.Popen(
        [sys.executable, "-m", "distributed", *arguments],
        cwd=way.checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_pin_to(way.workers) if way.workers else None,
    )


def _pin_to(count: int) -> Callable[[], None]:
    """What pins a process and all that it will start to so many cores."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, cores)


def reached(found: dict[str, Any], target: float) -> dict[str, Any] | None:
    """The first epoch of a run that is good enough, with its number; None: there is none."""
    for number, epoch in enumerate(found["curve"], start=1):
        if epoch["roc_auc"] >= target:
            return {**epoch, "epochs": number}
    return None


def summary(name: str, runs: list[dict[str, Any]], target: float) -> dict[str, Any]:
    """A row of the table, without its ratio."""
    at = [epoch for found in runs if (epoch := reached(found, target))]
    is_reached = len(at) == len(runs)

    def middle(key: str) -> Any:
        return round(median(epoch[key] for epoch in at), 1) if is_reached else "-"

    best = median(max(epoch["roc_auc"] for epoch in found["curve"]) for found in runs)
    return {
        "way": name,
        "epochs": middle("epochs"),
        "since the first step": middle("trained"),
        "since the command": middle("since command"),
        "best": round(best, 4),
    }


def draw(runs: list[dict[str, Any]], target: float, picture: Path) -> None:
    """Draw each run's ROC AUC against the seconds since its command."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(found["way"] for found in runs))
    for found in runs:
        number = names.index(found["way"])
        is_first = found is next(each for each in runs if each["way"] == found["way"])
        axes.plot(
            [epoch["since command"] for epoch in found["curve"]],
            [epoch["roc_auc"] for epoch in found["curve"]],
            color=f"C{number}",
            marker=".",
            alpha=0.8,
            label=found["way"] if is_first else None,
        )
    axes.axhline(target, color="grey", linestyle=":", label=f"{target}")
    axes.set(xlabel="seconds since the command", ylabel="ROC AUC on development pairs")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(picture, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--target", type=float, default=0.84)
    parser.add_argument("--recipes", nargs="+", default=["default"], help="with settings, if any")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--against", type=Path, help="another version of this repository")
    parser.add_argument("--folder", type=Path, help="keep the figures of runs here, and go on")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    ways = [Way(recipe, workers) for recipe in options.recipes for workers in options.workers]
    if options.against:
        ways.insert(0, Way("default", 0, options.against.resolve()))
    runs = []
    with tempfile.TemporaryDirectory() as name:
        kept = options.folder or Path(name)
        kept.mkdir(parents=True, exist_ok=True)
        for seed in options.seeds:
            for way in ways:
                file = kept / f"{way.name.replace('/', '-')}, seed {seed}.json"
                if not file.exists():
                    found = run(way, seed, options.corpus.resolve(), Path(name))
                    file.write_text(json.dumps(found))
                found = json.loads(file.read_text())
                runs.append(found)
                at = reached(found, options.target)
                seconds = f"{at['trained']:.0f} s, epoch {at['epochs']}" if at else "not reached"
                best = max(epoch["roc_auc"] for epoch in found["curve"])
                print(f"{way.name}, seed {seed}: {seconds}; best {best:.4f}", flush=True)
    rows = [
        summary(way.name, [found for found in runs if found["way"] == way.name], options.target)
        for way in ways
    ]
    first = rows[0]["since the first step"]
    for row in rows:
        own = row["since the first step"]
        row["ratio"] = "-" if "-" in (own, first) else round(own / first, 2)
    caption = CAPTION.format(target=options.target, seeds=", ".join(map(str, options.seeds)))
    show("Time to quality", rows, caption, options.json)
    if options.picture:
        draw(runs, options.target, options.picture)


if __name__ == "__main__":
    main()
