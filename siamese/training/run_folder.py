"""The folder of a run: where everything is, and its log.

RUN/recipe.yaml        the resolved recipe
RUN/data.json          counts of the data the run was given
RUN/metrics.jsonl      one line every few steps and one per evaluation
RUN/tensorboard/       the same for TensorBoard (the tracker `tensorboard`)
RUN/mlflow.json        the key of the run in MLflow (the tracker `mlflow`)
RUN/init/              the model that the run went on from, if it did: a copy
RUN/checkpoints/       the newest ones; a run continues from the last. See `checkpoint.py`
RUN/best/              the model folder of the best epoch: a copy of the newest checkpoint's
RUN/best_scores.parquet  its similarity of each development pair, likewise
RUN/report.html        written by `siamese report RUN`, as is
RUN/pictures/          PNG files of its curves and of the encoder
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.errors import UserError
from siamese.storage.atomic import flush, read_json, replacing, replacing_folder, write_json
from siamese.storage.filesystem import local_path
from siamese.storage.mirror import Mirror
from siamese.storage.ownership import clear_folder, is_used
from siamese.training.best_model import BEST, SCORES, copy_best, publish_best, restore_best
from siamese.training.checkpoint import (
    Progress,
    checkpoint_folders,
    remove_old_checkpoints,
    step_of,
)

# Written in this order: a run has begun once its recipe is there.
_FIRST = ("data.json", "recipe.yaml")
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
        self.scores_file = path / SCORES
        self.best = path / BEST
        self.init = path / "init"
        self.checkpoints = path / "checkpoints"
        self.tensorboard = path / "tensorboard"
        self.mlflow_file = path / "mlflow.json"

    @classmethod
    def open(cls, run: str, progress: Callable[[], None] = lambda: None) -> "RunFolder":
        """Open the run folder at a path or a URI; of a URI, a copy that goes with the object.

        Args:
            run: the path or URI.
            progress: is called whenever a part of a file has been copied from or to the URI.

        Raises:
            UserError: the URI's scheme is not known.
        """
        if path := local_path(run):
            return cls(path)
        copy = tempfile.TemporaryDirectory(prefix="siamese-run-")
        mirror = Mirror(Path(copy.name), run, progress=progress)
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

    def check(self, existing: Existing) -> None:
        """Check that the folder may be used; nothing is written or removed.

        Raises:
            UserError: it exists and is to be refused, is to be resumed and holds no run, or is to
                be replaced and holds something that is not a run.
        """
        begun = self.recipe_file.is_file()
        used = begun or is_used(self.path, but=_FIRST)
        used = used or (self._mirror is not None and self._mirror.is_used(but=_FIRST))
        if existing == "resume":
            if not begun:
                raise UserError(f"{self.location}: holds no run to resume. Leave out --resume.")
        elif existing == "refuse" and used:
            raise UserError(
                f"{self.location}: exists already. Continue that run with --resume, replace it "
                "with --fresh, or choose another --run folder."
            )
        elif used and not (begun and self.data_file.is_file()):
            raise UserError(
                f"{self.location}: is not the folder of a run, so --fresh will not delete it. "
                "Choose another --run folder."
            )

    def start(self, recipe: Recipe, data: dict[str, Any], fresh: bool) -> None:
        """Begin a run in the folder, in the place of an older one if `fresh`."""
        if fresh and self.path.exists():
            clear_folder(self.path)
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
        if started_with.get("teachers", []) != data.get("teachers", []):
            raise UserError(
                f"{self.location}: was started with other teachers (--teacher). Give the same, or "
                "start a run of its own."
            )

    def origin(self) -> dict[str, str]:
        """Return what names the model that the run went on from: `init` and `init_sha256`.

        Empty if it began from nothing.

        Raises:
            UserError: `data.json` is damaged.
        """
        data = read_json(self.data_file)
        if not isinstance(data, dict):
            raise UserError(f"{self.data_file}: damaged. Start the run afresh with --fresh.")
        return {name: str(data[name]) for name in ("init", "init_sha256") if name in data}

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
        *lines, _ = self.metrics_file.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            try:
                read = json.loads(line)
                if not isinstance(read, dict):
                    raise ValueError("not an object")
                log.append(read)
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{self.metrics_file}, line {number}: damaged ({error}). Remove that line, or "
                    "start the run afresh with --fresh."
                ) from None
        return log

    def commit(
        self,
        step: int,
        save: Callable[[Path], None],
        save_best: Callable[[Path], None] | None,
        keep: int,
    ) -> None:
        """Keep a checkpoint together with the best model so far, whole or not at all.

        Args:
            step: that the run is at.
            save: writes a checkpoint into a folder that holds the best model already.
            save_best: writes a new best model and its scores into a folder; None: the best model
                of the checkpoint before is still the best.
            keep: how many checkpoints are kept.
        """
        before = checkpoint_folders(self.checkpoints)[-1:]
        flush(self.metrics_file)
        checkpoint = self.checkpoints / f"step-{step:08}"
        with replacing_folder(checkpoint) as beside:
            if save_best:
                save_best(beside)
            elif before:
                copy_best(before[0], beside)
            save(beside)
        if save_best:
            publish_best(checkpoint, self.path)
        remove_old_checkpoints(self.checkpoints, keep)
        self.publish()

    def rewind(self, at: Progress) -> None:
        """Make the folder that of a run which stands there: drop what came later.

        That is what a stopped run logged after its last checkpoint, checkpoints that are damaged,
        and what a kill left half-written. The best model is put back if it is not the checkpoint's.

        Raises:
            UserError: the best model is gone, and not in the checkpoint of an older release.
        """
        for pattern in (".best.*", ".checkpoints.*", "checkpoints/.step-*"):
            for left in self.path.glob(pattern):
                shutil.rmtree(left)
        for pattern in (".metrics.jsonl.*", f".{SCORES}.*"):
            for left in self.path.glob(pattern):
                left.unlink()
        for checkpoint in checkpoint_folders(self.checkpoints):
            if step_of(checkpoint) > at.step:
                shutil.rmtree(checkpoint)
        log = self.read_log()
        if not all(isinstance(line.get("step"), int) for line in log):
            raise UserError(
                f"{self.metrics_file}: damaged: a line has no number `step`. Remove that line, or "
                "start the run afresh with --fresh."
            )
        kept = [line for line in log if line["step"] <= at.step]
        with replacing(self.metrics_file) as beside:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            beside.write_text(text, encoding="utf-8")
        newest = checkpoint_folders(self.checkpoints)[-1:]
        restore_best(newest[0] if newest else None, self.path, at)


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a line for each setting of nested dictionaries that is no longer what it was."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}: was {old}, is {new}"
