"""Checkpoints: everything a run needs to go on as if it had never stopped. No pickle.

RUN/checkpoints/step-00000300/
    variables.npz           of the model and the optimizer
    best/                   the model folder of the best epoch so far, and
    best_scores.parquet     its similarity of each development pair; not before the first evaluation
    progress.json           where the run stood
    manifest.json           the checksums of all other files; written last
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from siamese.errors import UserError
from siamese.storage.atomic import read_json, sha256_of, write_json

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras

VARIABLES = "variables.npz"
PROGRESS = "progress.json"
MANIFEST = "manifest.json"

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
    np.savez(
        folder / VARIABLES,
        allow_pickle=False,
        **{f"model{i}": v.numpy() for i, v in enumerate(model.variables)},
        **{f"optimizer{i}": v.numpy() for i, v in enumerate(optimizer.variables)},
    )
    write_json(folder / PROGRESS, asdict(at))
    write_json(folder / MANIFEST, {"sha256": _checksums(folder)})


def load_checkpoint(
    folder: Path, model: "keras.Model", optimizer: "keras.optimizers.Optimizer"
) -> Progress:
    """Put a checkpoint's values into the model and the built optimizer.

    Raises:
        UserError: the checkpoint is damaged or is not one of this model.
    """
    at = check_checkpoint(folder)
    values = _read_variables(folder)
    for name, owner in (("model", model), ("optimizer", optimizer)):
        for i, variable in enumerate(owner.variables):
            value = values.get(f"{name}{i}")
            if value is None or value.shape != tuple(variable.shape):
                raise _damaged(folder, f"{name}{i} is not that of this model")
            variable.assign(value)
    return at


def check_checkpoint(folder: Path) -> Progress:
    """Check that a checkpoint is whole.

    Returns:
        Where the run stood.

    Raises:
        UserError: a file is missing, cut short or altered; names it.
    """
    if (folder / MANIFEST).exists():
        written, found = read_json(folder / MANIFEST), _checksums(folder)
        if written != {"sha256": found}:
            expected = written.get("sha256") if isinstance(written, dict) else None
            expected = expected if isinstance(expected, dict) else {}
            names = sorted(n for n in {*expected, *found} if expected.get(n) != found.get(n))
            raise _damaged(folder, f"{names[0] if names else MANIFEST} is missing or was altered")
    else:  # of an older release
        _read_variables(folder)
    try:
        return TypeAdapter(Progress).validate_json((folder / PROGRESS).read_bytes(), strict=True)
    except FileNotFoundError:
        raise _damaged(folder, f"{PROGRESS} is missing") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise _damaged(folder, f"{PROGRESS}: {where}: {error.errors()[0]['msg']}") from None


def newest_checkpoint(folder: Path, say: Callable[[str], None]) -> Path | None:
    """Find the newest checkpoint that is whole; None if there never was one.

    Args:
        folder: of the checkpoints.
        say: is given a sentence about each newer one that is damaged.

    Raises:
        UserError: all are damaged.
    """
    found = checkpoint_folders(folder)
    for number, checkpoint in enumerate(reversed(found), start=1):
        try:
            check_checkpoint(checkpoint)
            return checkpoint
        except UserError as error:
            if number == len(found):
                raise UserError(
                    f"{error} No older checkpoint is there: start the run afresh with --fresh."
                ) from None
            say(f"{error} Going on from the one before.")
    return None


def checkpoint_folders(folder: Path) -> list[Path]:
    """List the checkpoints in a folder, the oldest first."""
    return sorted(p for p in folder.glob("step-*") if p.name.removeprefix("step-").isdigit())


def step_of(checkpoint: Path) -> int:
    """Return the step that a checkpoint was written after."""
    return int(checkpoint.name.removeprefix("step-"))


def remove_old_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for old in checkpoint_folders(folder)[:-keep]:
        shutil.rmtree(old)


def _checksums(folder: Path) -> dict[str, str]:
    """Take the SHA-256 of all files but the manifest."""
    return {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def _read_variables(folder: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(folder / VARIABLES, allow_pickle=False) as values:
            return {name: values[name] for name in values.files}
    except Exception as error:  # whatever a reader of zip files meets in one that is damaged
        raise _damaged(folder, f"{VARIABLES}: {error}") from None


def _damaged(folder: Path, what: str) -> UserError:
    return UserError(f"{folder}: cannot be resumed from ({what}).")
