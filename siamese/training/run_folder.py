"""The folder of a training run: where everything is.

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

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.errors import UserError
from siamese.storage import run_folder
from siamese.storage.atomic import read_json, replacing, write_json
from siamese.storage.checkpoints import checkpoint_folders
from siamese.storage.mirror import Mirror
from siamese.storage.run_folder import differences
from siamese.training.best_model import BEST, SCORES, copy_best, publish_best, restore_best
from siamese.training.checkpoint import Progress


class RunFolder(run_folder.RunFolder):
    """Paths and log of one run.

    Args:
        path: the folder; for a run at a URI, this machine's copy of it.
        mirror: copies the folder to the URI.
    """

    first = ("data.json", "recipe.yaml")

    def __init__(self, path: Path, mirror: Mirror | None = None) -> None:
        super().__init__(path, mirror)
        self.recipe_file = path / "recipe.yaml"
        self.data_file = path / "data.json"
        self.scores_file = path / SCORES
        self.best = path / BEST
        self.init = path / "init"
        self.tensorboard = path / "tensorboard"
        self.mlflow_file = path / "mlflow.json"

    def start(self, recipe: Recipe, data: dict[str, Any], fresh: bool) -> None:
        """Begin a run in the folder, in the place of an older one if `fresh`."""
        self.make(fresh)
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

        def fill(beside: Path) -> None:
            if save_best:
                save_best(beside)
            elif before:
                copy_best(before[0], beside)
            save(beside)

        checkpoint = self.write_checkpoint(step, fill)
        if save_best:
            publish_best(checkpoint, self.path)
        self.keep_checkpoints(keep)

    def rewind(self, at: Progress) -> None:
        """Make the folder that of a run which stands there: drop what came later.

        That is what a stopped run logged after its last checkpoint, checkpoints that are damaged,
        and what a kill left half-written. The best model is put back if it is not the checkpoint's.

        Raises:
            UserError: the best model is gone, and not in the checkpoint of an older release.
        """
        for pattern in (".best.*", ".checkpoints.*"):
            for left in self.path.glob(pattern):
                shutil.rmtree(left)
        for left in self.path.glob(f".{SCORES}.*"):
            left.unlink()
        self.drop_later(at.step)
        log = self.read_log()
        if not all(isinstance(line.get("step"), int) for line in log):
            raise UserError(
                f"{self.metrics_file}: damaged: a line has no number `step`. Remove that line, or "
                "start the run afresh with --fresh."
            )
        self.replace_log(line for line in log if line["step"] <= at.step)
        newest = checkpoint_folders(self.checkpoints)[-1:]
        restore_best(newest[0] if newest else None, self.path, at)
