"""What a teacher is, and how the user names one.

A teacher is one file in `siamese/teaching/teachers`. The name of the file is what `--teacher`
begins with, and its function `build(argument)` makes the teacher of what follows the colon. That is
quick and loads no model, so that mistakes are told before any work: a worker loads it, with the
first texts. Adding a teacher is adding a file there.
"""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from siamese.config.parts import load_part, part_names
from siamese.errors import UserError


class Teacher(Protocol):
    """Turns texts into vectors. It travels to the workers before it is used: it must pickle.

    Attributes:
        name: what tells its vectors from those of any other teacher; in `manifest.json`.
    """

    name: str

    def encode(self, texts: Sequence[str]) -> Any:
        """Return a vector of each text, `[len(texts), dim]`, of any length but not NaN."""


def load_teacher(spec: str) -> Teacher:
    """Make the teacher that a user names.

    Args:
        spec: `KIND:ARGUMENT`, the name of a kind that needs no argument, or a model folder of this
            project, a path or URI.

    Raises:
        UserError: there is no such teacher, or it cannot be used here.
    """
    from siamese.config.yaml_files import nearest  # reads YAML, which `--help` does not

    kind, colon, argument = spec.partition(":")
    name = kind.replace("-", "_")
    names = part_names("teacher")
    is_folder = argument.startswith("//") or Path(spec).expanduser().exists()
    if name in names and not (is_folder and not colon):
        teacher: Teacher = load_part("teacher", name)(argument)
        return teacher
    if is_folder or (colon and "/" in kind):
        return load_teacher(f"model:{spec}")
    known = [each.replace("_", "-") for each in names]
    raise UserError(f"--teacher {spec}: neither a model folder nor a teacher{nearest(kind, known)}")


def unit_vectors(teacher: Teacher, texts: Sequence[str]) -> np.ndarray:
    """Have a teacher encode texts, and check what it returns.

    Args:
        teacher: any.
        texts: at least one.

    Returns:
        Vectors of unit length, float16 `[len(texts), dim]`; zeros stay zeros.

    Raises:
        UserError: the teacher failed, or returned something else; says what.
    """
    try:
        vectors = np.asarray(teacher.encode(texts), np.float32)
    except UserError:
        raise
    except Exception as error:  # of code that is not ours
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{at.filename}, line {at.lineno}"
        raise UserError(
            f"teacher {teacher.name}: {type(error).__name__}: {error} ({where})"
        ) from None
    if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1]:
        raise UserError(
            f"teacher {teacher.name}: returned an array of shape {list(vectors.shape)} for "
            f"{len(texts):,} texts. It must be [{len(texts)}, numbers in a vector]."
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise UserError(
            f"teacher {teacher.name}: its vector of {texts[bad[0]]!r}, and of {len(bad) - 1:,} "
            "more texts, has numbers that are none (NaN or infinite)."
        )
    # In float64: the squares of large numbers overflow.
    norms = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float16)
