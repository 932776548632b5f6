"""The folder of a run: where everything is, and its log.

RUN/recipe.yaml        the resolved recipe
RUN/data.json          counts of the data the run was given
RUN/metrics.jsonl      one line every few steps and one per evaluation
RUN/tensorboard/       the same for TensorBoard (the tracker `tensorboard`)
RUN/mlflow.json        the key of the run in MLflow (the tracker `mlflow`)
RUN/checkpoints/       the newest ones; a run continues from the last
RUN/best/              the model folder of the best epoch
RUN/best_scores.parquet  its similarity of each development pair
RUN/report.html        written by `siamese report RUN`, as is
RUN/pictures/          PNG files of its curves and of the encoder
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.errors import UserError
from siamese.storage.atomic import read_json, replacing, write_json
from siamese.storage.filesystem import local_path
from siamese.storage.folder import Folder
from siamese.storage.mirror import Mirror
from siamese.training.checkpoint import checkpoint_folders

# What to do with a run folder that is there.
Existing = Literal["refuse", "resume", "fresh"]


class RunFolder:
    """Paths and log of one run.

    Args:
        path: the folder; for a run at a URI, this machine's copy of it.
        mirror: copies the folder to the URI.
    """

    def __init__(self, path: Path, mirror: Mirror | None = None) -> None:
        self.path = path
        self._mirror = mirror
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.recipe_file = path / "recipe.yaml"
        self.data_file = path / "data.json"
        self.metrics_file = path / "metrics.jsonl"
        self.scores_file = path / "best_scores.parquet"
        self.best = path / "best"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.mlflow_file = path / "mlflow.json"

    @classmethod
    def open(cls, run: str) -> "RunFolder":
        """Open the run folder at a path or a URI; of a URI, a copy that goes with the object.

        Raises:
            UserError: the URI's scheme is not known.
        """
        if path := local_path(run):
            return cls(path)
        copy = tempfile.TemporaryDirectory(prefix="siamese-run-")
        mirror = Mirror(Path(copy.name), run)
        if mirror.has("recipe.yaml"):
            mirror.pull()
        folder = cls(Path(copy.name), mirror)
        folder._copy = copy  # removed with the object
        return folder

    def publish(self) -> None:
        """Copy what has changed to the run's URI, if it has one."""
        if self._mirror:
            self._mirror.push()

    @property
    def location(self) -> str:
        """Return the path or URI that the user knows the run by."""
        return self._mirror.uri if self._mirror else str(self.path)

    @property
    def best_location(self) -> str:
        """Return the path or URI of the best model's folder."""
        return str(Folder(self.location) / "best")

    def check(self, existing: Existing) -> None:
        """Check that the folder may be used; nothing is written or removed.

        Raises:
            UserError: it exists and is to be refused, is to be resumed and holds no run, or is to
                be replaced and holds something that is not a run.
        """
        used = self.path.is_file() or (self.path.is_dir() and any(self.path.iterdir()))
        used = used or (self._mirror is not None and self._mirror.has(""))
        if existing == "resume":
            if not self.recipe_file.is_file():
                raise UserError(f"{self.location}: holds no run to resume. Leave out --resume.")
        elif existing == "refuse" and used:
            raise UserError(
                f"{self.location}: exists already. Continue that run with --resume, replace it "
                "with --fresh, or choose another --run folder."
            )
        elif used and not (self.recipe_file.is_file() and self.data_file.is_file()):
            raise UserError(
                f"{self.location}: is not the folder of a run, so --fresh will not delete it. "
                "Choose another --run folder."
            )

    def start(self, recipe: Recipe, data: dict[str, Any], fresh: bool) -> None:
        """Begin a run in the folder, in the place of an older one if `fresh`."""
        if fresh and self.path.exists():
            shutil.rmtree(self.path.resolve())  # of a link, what it points to
            if self._mirror:
                self._mirror.remove()
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.data_file, data)
        with replacing(self.recipe_file) as beside:
            beside.write_text(recipe.to_yaml(), encoding="utf-8")
        self.publish()

    def check_same(self, recipe: Recipe, data: dict[str, Any]) -> None:
        """Check that a run to be resumed was started with this recipe and these data.

        Raises:
            UserError: names every setting that differs.
        """
        before = load_recipe(str(self.recipe_file), stored=True)
        found = list(differences(before.model_dump(), recipe.model_dump()))
        if found:
            raise UserError(
                f"{self.location}: was started with other settings; a resumed run must keep them.\n"
                + "\n".join(f"  {line}" for line in found)
            )
        started_with = read_json(self.data_file)
        if not isinstance(started_with, dict) or "hash" not in started_with:
            raise UserError(f"{self.data_file}: damaged. Start the run afresh with --fresh.")
        if started_with["hash"] != data["hash"]:
            raise UserError(
                f"{self.location}: was started with other data (--data or --dev). Give the same, "
                "or start a run of its own."
            )

    def has_checkpoint(self) -> bool:
        """Look for a checkpoint to go on from."""
        return bool(checkpoint_folders(self.checkpoints))

    def log(self, line: dict[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        with self.metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Read the lines of `metrics.jsonl`; one that a kill cut short is left out.

        Raises:
            UserError: a line is damaged; names it.
        """
        if not self.metrics_file.exists():
            return []
        log = []
        for number, line in enumerate(self.metrics_file.read_bytes().splitlines(), start=1):
            try:
                log += [json.loads(line)] if line.endswith(b"}") else []
            except ValueError as error:
                raise UserError(
                    f"{self.metrics_file}, line {number}: damaged ({error}). Remove that line, or "
                    "start the run afresh with --fresh."
                ) from None
        return log

    def forget_after(self, step: int) -> None:
        """Drop what was logged after a step, and what a kill left half-written."""
        for left in (*self.path.glob(".best.*"), *self.path.glob("checkpoints/.step-*")):
            shutil.rmtree(left)
        for left in (*self.path.glob(".metrics.jsonl.*"), *self.path.glob(".best_scores.*")):
            left.unlink()
        kept = [line for line in self.read_log() if line["step"] <= step]
        with replacing(self.metrics_file) as beside:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            beside.write_text(text, encoding="utf-8")

    def write_scores(self, pairs: list[Pair], scores: np.ndarray) -> None:
        """Write the best model's similarity of each development pair."""
        table = pa.table(
            {
                "text1": [pair.text1 for pair in pairs],
                "text2": [pair.text2 for pair in pairs],
                "label": pa.array([pair.label for pair in pairs], pa.int8()),
                "score": scores,
            }
        )
        with replacing(self.scores_file) as beside:
            pq.write_table(table, beside)


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a line for each setting of nested dictionaries that is no longer what it was."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}: was {old}, is {new}"
