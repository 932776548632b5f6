"""Checkpoints: everything a run needs to go on as if it had never stopped. No pickle."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siamese.errors import UserError
from siamese.storage.atomic import read_json, replacing_folder, write_json

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras


@dataclass
class Progress:
    """Holds where a run stands.

    Attributes:
        epoch: epochs completed.
        step: steps taken in all.
        best_metric: the primary metric's best value; None before the first evaluation.
        best_epoch: the epoch (from 1) that reached it; 0 before the first evaluation.
        epoch_loss: sum of the losses of the steps taken in the epoch that has begun.
    """

    epoch: int = 0
    step: int = 0
    best_metric: float | None = None
    best_epoch: int = 0
    epoch_loss: float = 0.0


def save_checkpoint(
    folder: Path, model: "keras.Model", optimizer: "keras.optimizers.Optimizer", at: Progress
) -> None:
    """Write a checkpoint folder, whole or not at all.

    Holds the model's variables, the optimizer's (moments, and the step that drives the learning
    rate), and the progress, from which with the recipe's seed all that is random follows.
    """
    with replacing_folder(folder) as beside:
        np.savez(
            beside / "variables.npz",
            allow_pickle=False,
            **{f"model{i}": v.numpy() for i, v in enumerate(model.variables)},
            **{f"optimizer{i}": v.numpy() for i, v in enumerate(optimizer.variables)},
        )
        write_json(beside / "progress.json", asdict(at))


def load_checkpoint(
    folder: Path, model: "keras.Model", optimizer: "keras.optimizers.Optimizer"
) -> Progress:
    """Put a checkpoint's values into the model and the built optimizer.

    Raises:
        UserError: the checkpoint is damaged or is not one of this model.
    """
    try:
        with np.load(folder / "variables.npz", allow_pickle=False) as values:
            for name, owner in (("model", model), ("optimizer", optimizer)):
                for i, variable in enumerate(owner.variables):
                    variable.assign(values[f"{name}{i}"])
        return Progress(**read_json(folder / "progress.json"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: cannot be resumed from ({error}). Delete it to resume from an older one."
        ) from None


def checkpoint_folders(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, the oldest first."""
    return sorted(folder.glob("step-*"))


def remove_old_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for old in checkpoint_folders(folder)[:-keep]:
        shutil.rmtree(old)
