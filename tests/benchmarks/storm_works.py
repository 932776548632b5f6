"""The works that a storm disturbs: how each is started and gone on with, and what must come out."""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))
from paths import SAMPLE

from siamese.data.sharding import make_data_set
from siamese.encoder.sentence_encoder import SentenceEncoder

RECIPE = (
    "encoder.embedding_dim=16",
    "encoder.vectors=none",
    "encoder.lstm_units=[16]",
    "encoder.dropout=0.2",
    "sampling.batch_groups=12",
    "training.epochs=16",
    "training.patience=null",
)
SPACE = "loss.scale: {choice: [10, 20, 30]}\noptimizer.learning_rate: {loguniform: [0.001, 0.01]}\n"
# Figures of an evaluation that depend on the machine.
TIMES = ("groups_per_second", "train_seconds", "input_seconds", "evaluation_seconds", "at", "order")

Fingerprint = dict[str, str]


@dataclass(frozen=True)
class Work:
    """One command that may be disturbed.

    Attributes:
        name: of the work.
        command: its arguments, given the folder to write into.
        go_on: what is added to the command when it is given again.
        fingerprint: of what came out, given the folder: the same for the same bytes.
        faults: the names of the faults it is exposed to.
    """

    name: str
    command: Callable[[Path], list[str]]
    go_on: tuple[str, ...]
    fingerprint: Callable[[Path], Fingerprint]
    faults: tuple[str, ...]


def make_inputs(folder: Path) -> None:
    """Write what the works read: a data set, groups, texts and a model's place."""
    make_data_set([str(SAMPLE / "df_train.json")], folder / "data", fresh=True)
    groups = json.loads((SAMPLE / "df_train.json").read_text(encoding="utf-8"))
    with (folder / "groups.jsonl").open("w", encoding="utf-8") as stream:
        for copy in range(400):
            for name, texts in groups.items():
                row = {"id": f"{copy}-{name}", "texts": [f"{text}{copy}" for text in texts]}
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    with (folder / "texts.txt").open("w", encoding="utf-8") as stream:
        for copy in range(40):
            for texts in groups.values():
                stream.writelines(f"{text}{copy}\n" for text in texts)
    (folder / "space.yaml").write_text(SPACE, encoding="utf-8")


def works(inputs: Path) -> dict[str, tuple[Work, int]]:
    """List the works, each with how many of a hundred faults it gets."""
    here = ("driver killed", "driver stopped", "interrupted", "disk full", "clock jumps")
    damage = ("checkpoint cut", "checkpoint altered", "checkpoint emptied")
    on_ray = ("worker killed", "worker stopped", "raylet killed", "ports taken")
    found = [
        (Work(f"train, {n} workers", _train(inputs, n), ("--resume",), _run, faults), times)
        for n, times, faults in (
            (0, 22, (*here, *damage)),
            (1, 14, (*on_ray, *here, *damage)),
            (2, 20, (*on_ray, *here, *damage)),
            (3, 6, (*on_ray, *here)),
            (4, 8, (*on_ray, *here)),
        )
    ]
    sweep_faults = ("worker killed", "driver killed", "disk full", "raylet killed", "interrupted")
    found += [
        (Work("sweep", _tune(inputs), ("--resume",), _sweep, sweep_faults), 10),
        (Work("shard", _shard(inputs), ("--fresh",), _files, here), 10),
        (Work("encode", _encode(inputs), (), _files, here), 10),
    ]
    return {work.name: (work, times) for work, times in found}


def _settings() -> list[str]:
    return [part for setting in RECIPE for part in ("--set", setting)]


def _train(inputs: Path, workers: int) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        words = ["train", "--data", str(inputs / "data"), "--dev", str(SAMPLE / "df_dev.txt")]
        words += ["--run", str(folder / "out"), "--recipe", "fast", "--checkpoint-steps", "20"]
        words += [*_settings(), "--workers", str(workers)]
        if workers:
            words += ["--stall-seconds", "10", "--cpus-per-worker", str(min(2 / workers, 1))]
        return words

    return command


def _tune(inputs: Path) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        words = ["tune", "--data", str(inputs / "data"), "--dev", str(SAMPLE / "df_dev.txt")]
        words += ["--run", str(folder / "out"), "--recipe", "fast", *_settings(), "--trials", "3"]
        return [*words, "--space", str(inputs / "space.yaml"), "--scheduler", "none"]

    return command


def _shard(inputs: Path) -> Callable[[Path], list[str]]:
    return lambda folder: ["shard", str(inputs / "groups.jsonl"), "--output", str(folder / "out")]


def _encode(inputs: Path) -> Callable[[Path], list[str]]:
    return lambda folder: [
        "encode",
        str(inputs / "model"),
        str(inputs / "texts.txt"),
        "--output",
        str(folder / "out" / "vectors.parquet"),
    ]


def _run(folder: Path) -> Fingerprint:
    """Everything of a run that must not depend on what happened to it."""
    return _run_at(folder / "out")


def _run_at(run: Path) -> Fingerprint:
    newest = max((run / "checkpoints").glob("step-*"))
    with np.load(newest / "variables.npz", allow_pickle=False) as values:
        found = {f"checkpoint {name}": _hash(values[name].tobytes()) for name in values.files}
    found |= _model(run / "best")
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    for line in map(json.loads, lines):
        if line["event"] != "start":
            figures = {key: value for key, value in line.items() if key not in TIMES}
            found[f"log {line['event']} {line['step']}"] = json.dumps(figures)
    logged = [line for line in map(json.loads, lines) if line["event"] != "start"]
    found["lines in the log"] = str(len(logged))
    scores = pq.read_table(run / "best_scores.parquet")["score"].to_numpy()
    return found | {"scores": _hash(scores.tobytes())}


def _model(folder: Path) -> Fingerprint:
    encoder = SentenceEncoder.load(folder)
    arrays = b"".join(array.tobytes() for array in encoder.weights.flat())
    return {"model": _hash(arrays), "threshold": repr(encoder.threshold)}


def _sweep(folder: Path) -> Fingerprint:
    """The runs of all trials, and the best model."""
    found = _model(folder / "out" / "best")
    for trial in sorted((folder / "out" / "trials").iterdir()):
        found |= {f"{trial.name} {key}": value for key, value in _run_at(trial).items()}
    return found


def _files(folder: Path) -> Fingerprint:
    return {
        str(path.relative_to(folder)): _hash(path.read_bytes())
        for path in sorted((folder / "out").rglob("*"))
        if path.is_file()
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
