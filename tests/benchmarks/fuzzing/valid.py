"""The valid things that are altered: a model folder, a data set, a run, a sweep, checkpoints."""

import json
import shutil
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "helpers"))

GROUPS = {str(i): [f"第{i}个问题", f"问题{i}", f"{i}怎么办"] for i in range(12)}
DEV = "".join(f"第{i}个问题\t问题{i + i % 2}\t{1 - i % 2}\n" for i in range(12))
# Arrays of a checkpoint, by what they belong to.
MODEL = {f"model{i}": np.full((2, 3), i, np.float32) for i in range(3)}
OPTIMIZER = {"optimizer0": np.array(7, np.int64), "optimizer1": np.ones(3, np.float32)}


def make_valid(folder: Path) -> None:
    """Make all of them below a folder; needs TensorFlow, and some seconds."""
    from report_run import make_run

    from distributed.sweep.folder import SweepFolder
    from siamese.config.loading import load_recipe
    from siamese.data.sharding import make_data_set
    from siamese.storage.atomic import write_json

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "groups.json").write_text(json.dumps(GROUPS), encoding="utf-8")
    (folder / "dev.tsv").write_text(DEV, encoding="utf-8")
    make_data_set([str(folder / "groups.json")], folder / "data", rows_per_shard=6)
    run = make_run(folder / "run", [], epochs=3)
    checkpoint = run.checkpoints / "step-00000030"
    shutil.copytree(run.best, checkpoint / "best")
    shutil.copy(run.scores_file, checkpoint)
    np.savez(checkpoint / "variables.npz", **MODEL, **OPTIMIZER)
    write_json(
        checkpoint / "progress.json",
        {"epoch": 3, "step": 30, "best_metric": 0.7, "best_epoch": 2, "epoch_loss": 0.0},
    )
    sums = {name: sha256(content).hexdigest() for name, content in _files(checkpoint)}
    write_json(checkpoint / "manifest.json", {"sha256": sums})
    sweep = SweepFolder(str(folder / "sweep"))
    sweep.start({"space": {"loss.scale": [5, 80]}, "trials": 4}, load_recipe("fast"), fresh=False)
    evaluation = json.loads(run.metrics_file.read_text().splitlines()[-1])
    for trial in range(3):
        settings = {"loss.scale": 20.0 + trial}
        sweep.log("start", trial, settings=settings, draws={"loss.scale": 20.0})
        for epoch in (1, 2):
            figures = {**evaluation, "epoch": epoch, "at": 3.0 * epoch}
            sweep.log("evaluation", trial, figures=figures)
        sweep.log("end", trial, status="failed" if trial == 2 else "finished", error="x" * trial)


def files_of(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by name."""
    return dict(_files(folder))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "pictures" not in path.parts:
            yield path.relative_to(folder).as_posix(), path.read_bytes()
