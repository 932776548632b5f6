"""The checkpoints of a run: see `siamese.storage.checkpoints` for what all have in common.

RUN/checkpoints/step-00000300/
    variables.npz           of the model and the optimizer
    best/                   the model folder of the best epoch so far, and
    best_scores.parquet     its similarity of each development pair; not before the first evaluation
    progress.json           where the run stood
    manifest.json           the checksums of all other files; written last
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from siamese.storage import checkpoints

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras

Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


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

    epoch: Count = 0
    step: Count = 0
    best_metric: Finite | None = None
    best_epoch: Count = 0
    epoch_loss: Finite = 0.0


def save_checkpoint(
    folder: Path, model: "keras.Model", optimizer: "keras.optimizers.Optimizer", at: Progress
) -> None:
    """Write a checkpoint into a folder that holds the best model already.

    Holds the model's variables, the optimizer's (moments, and the step that drives the learning
    rate), and the progress, from which with the recipe's seed all that is random follows.
    """
    values = checkpoints.values_of({"model": model.variables, "optimizer": optimizer.variables})
    checkpoints.write_checkpoint(folder, values, asdict(at))


def load_checkpoint(
    folder: Path, model: "keras.Model", optimizer: "keras.optimizers.Optimizer"
) -> Progress:
    """Put a checkpoint's values into the model and the built optimizer.

    Raises:
        UserError: the checkpoint is damaged or is not one of this model.
    """
    at = check_checkpoint(folder)
    owned = {"model": model.variables, "optimizer": optimizer.variables}
    checkpoints.load_variables(folder, owned)
    return at


def check_checkpoint(folder: Path) -> Progress:
    """Check that a checkpoint is whole; see `siamese.storage.checkpoints.check_checkpoint`."""
    return checkpoints.check_checkpoint(folder, Progress)


def newest_checkpoint(folder: Path, say: Callable[[str], None]) -> Path | None:
    """Find the newest one that is whole; see `siamese.storage.checkpoints.newest_checkpoint`."""
    return checkpoints.newest_checkpoint(folder, Progress, say)
