"""Checkpoints: everything that training needs to go on as if it had never stopped. No pickle.

CHECKPOINTS/step-00000300/
    variables.npz     of a model, an optimizer and whatever else has variables
    progress.json     where training stood
    …                 other files that belong to it
    manifest.json     the checksums of all of them; written last
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from siamese.errors import UserError
from siamese.storage.atomic import read_json, sha256_of, write_json

VARIABLES = "variables.npz"
PROGRESS = "progress.json"
MANIFEST = "manifest.json"

T = TypeVar("T")


class Variable(Protocol):
    """A variable of Keras or TensorFlow."""

    dtype: Any
    shape: Any

    def numpy(self) -> np.ndarray:
        """Return its value."""

    def assign(self, value: Any) -> Any:
        """Change its value."""


# The variables of each owner, by the owner's name, such as `model`.
Owned = Mapping[str, Sequence[Variable]]


def values_of(owned: Owned) -> dict[str, np.ndarray]:
    """Return the values of variables by the names that they have in a checkpoint."""
    return {
        f"{owner}{i}": variable.numpy()
        for owner, variables in owned.items()
        for i, variable in enumerate(variables)
    }


def write_checkpoint(folder: Path, values: Mapping[str, np.ndarray], progress: Any) -> None:
    """Write a checkpoint into a folder that holds its other files already.

    Args:
        folder: is put in its place by the caller, once it is whole.
        values: see `values_of`.
        progress: where training stands, as JSON.
    """
    np.savez(folder / VARIABLES, allow_pickle=False, **values)
    write_json(folder / PROGRESS, progress)
    write_json(folder / MANIFEST, {"sha256": _checksums(folder)})


def load_variables(folder: Path, owned: Owned) -> None:
    """Put a checkpoint's values into variables.

    Raises:
        UserError: the checkpoint is damaged or is not one of such variables.
    """
    values = _read_variables(folder)
    for owner, variables in owned.items():
        for i, variable in enumerate(variables):
            value = values.get(f"{owner}{i}")
            if value is None or value.shape != tuple(variable.shape):
                raise _damaged(folder, f"{owner}{i} is not that of this {owner}")
            variable.assign(_typed(value, variable))
        if f"{owner}{len(variables)}" in values:
            raise _damaged(folder, f"{owner}{len(variables)} is not one of this {owner}")


def check_checkpoint(folder: Path, kind: type[T]) -> T:
    """Check that a checkpoint is whole.

    Args:
        folder: of the checkpoint.
        kind: of the progress: a dataclass.

    Returns:
        Where training stood.

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
        return TypeAdapter(kind).validate_json((folder / PROGRESS).read_bytes(), strict=True)
    except FileNotFoundError:
        raise _damaged(folder, f"{PROGRESS} is missing") from None
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise _damaged(folder, f"{PROGRESS}: {where}: {error.errors()[0]['msg']}") from None


def newest_checkpoint(folder: Path, kind: type, say: Callable[[str], None]) -> Path | None:
    """Find the newest checkpoint that is whole; None if there never was one.

    Args:
        folder: of the checkpoints.
        kind: of their progress.
        say: is given a sentence about each newer one that is damaged.

    Raises:
        UserError: all are damaged.
    """
    found = checkpoint_folders(folder)
    for number, checkpoint in enumerate(reversed(found), start=1):
        try:
            check_checkpoint(checkpoint, kind)
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


def folder_name(step: int) -> str:
    """Name the checkpoint that is written after a step."""
    return f"step-{step:08}"


def step_of(checkpoint: Path) -> int:
    """Return the step that a checkpoint was written after."""
    return int(checkpoint.name.removeprefix("step-"))


def remove_old_checkpoints(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for old in checkpoint_folders(folder)[:-keep]:
        shutil.rmtree(old)


def _typed(value: np.ndarray, variable: Variable) -> np.ndarray:
    """Give back a type that numpy's files do not know, such as bfloat16: they keep its bytes."""
    if value.dtype.kind != "V":
        return value
    own = variable.numpy().dtype
    return value.view(own) if own.kind == "V" and own.itemsize == value.dtype.itemsize else value


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
