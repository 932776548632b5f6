"""Fill a folder of texts and vectors, a file at a time; go on with what was stopped."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from siamese.encoding.part_folder import (
    MANIFEST,
    PART,
    FolderKind,
    Part,
    finish,
    part_name,
    read_part,
    write_part,
)
from siamese.errors import UserError
from siamese.progress import progress
from siamese.storage.folder import Folder
from siamese.storage.output import check_writable
from siamese.storage.ownership import MARKS, owning

Existing = Literal["refuse", "resume", "fresh"]
# The texts of a file, after its number.
Numbered = tuple[int, list[str]]
# Makes the vectors of texts `[texts, dim]`.
Work = Callable[[list[str]], np.ndarray]
# Applies work to the texts of files: yields the number of each, its texts and its vectors, in any
# order.
Encode = Callable[[Work, "Left"], Iterator[tuple[int, list[str], np.ndarray]]]


def encode_here(
    work: Work, parts: Iterable[Numbered]
) -> Iterator[tuple[int, list[str], np.ndarray]]:
    """Encode the texts of files one after the other, in this process."""
    for number, texts in parts:
        yield number, texts, work(texts)


class Left(Iterable[Numbered]):
    """The files that are not written yet; read as often as asked, and by any process.

    Args:
        parts: of all files.
        count: how many these are.
        done: the numbers of those that are written.
    """

    def __init__(self, parts: Iterable[Numbered], count: int, done: Iterable[int] = ()) -> None:
        self._parts = parts
        self._done = frozenset(done)
        self._count = count

    def __len__(self) -> int:
        """Return how many files are left."""
        return self._count - len(self._done)

    def __iter__(self) -> Iterator[Numbered]:
        return (each for each in self._parts if each[0] not in self._done)


@dataclass(frozen=True)
class Job:
    """What a folder is filled with.

    Attributes:
        kind: of folder.
        maker: who makes the vectors: what was begun by another is refused.
        maker_in_words: for the message.
        work: makes them.
        encode: where that is done.
    """

    kind: FolderKind
    maker: str
    maker_in_words: str
    work: Work
    encode: Encode = encode_here


@dataclass
class _Survey:
    """What is to do, and what is done already.

    Attributes:
        texts: how many there are, by the number of their file.
        entries: what the manifest says of the files that are there.
        dims: how many numbers the vectors in them have.
    """

    texts: list[int] = field(default_factory=list)
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    dims: dict[int, int] = field(default_factory=dict)


def fill(
    output: str,
    parts: Iterable[Numbered],
    job: Job,
    existing: Existing,
    about: Callable[[int, int], Mapping[str, Any]],
    look: Callable[[list[str]], None] = lambda texts: None,
) -> dict[str, Any]:
    """Write a folder of vectors. All texts are read once before anything is changed.

    Args:
        output: the folder, a path or URI.
        parts: the texts of each file, numbered from 0; iterated over twice.
        job: what it is filled with.
        existing: what to do with a folder that is there. `resume` keeps its files, as far as they
            are of this maker and these texts, so that texts may have been added at the end.
        about: from the number of texts and the size of a vector to what the manifest says.
        look: is shown the texts of each file, once.

    Returns:
        The manifest.

    Raises:
        UserError: there is no text, something else is at `output`, or vectors are of two sizes.
    """
    folder = Folder(output)
    check_folder(folder, job.kind, existing)
    with owning(output, resumes=existing == "resume"):
        survey = _survey(folder, parts, job, existing, look)
        with _scratch(folder, job.kind, existing) as scratch:
            left = sum(n for number, n in enumerate(survey.texts) if number not in survey.entries)
            if left:
                folder.remove(MANIFEST)
            with progress(job.kind.doing, left, "texts") as advance:
                todo = Left(parts, len(survey.texts), survey.entries)
                for number, texts, vectors in job.encode(job.work, todo) if left else ():
                    survey.dims[number] = vectors.shape[1]
                    _check_dims(survey.dims, number, job)
                    part = Part(pa.array(texts, pa.string()), vectors, job.maker)
                    survey.entries[number] = write_part(
                        job.kind, part_name(number), part, folder, scratch
                    )
                    advance(len(texts))
            files = [survey.entries[number] for number in range(len(survey.texts))]
            described = about(sum(survey.texts), survey.dims[0])
            return finish(job.kind, folder, scratch, files, described)


def check_folder(folder: Folder, kind: FolderKind, existing: Existing) -> None:
    """Refuse a folder that cannot be written, or that holds something else.

    Raises:
        UserError: says what is there, and what to do.
    """
    if folder.is_local:
        path = Path(folder.path_of("")).resolve()
        nearest = next(each for each in (path, *path.parents) if each.exists())
        if not nearest.is_dir():
            raise UserError(f"{folder}: {nearest} is a file. Choose another --output folder.")
    else:
        check_writable(folder.uri)
    names = [name for name in folder.names() if name not in (*MARKS, kind.scratch)]
    others = [name for name in names if name != MANIFEST and not PART.fullmatch(name)]
    if not others and MANIFEST in names:
        manifest = folder.read_json(MANIFEST)
        others = [] if isinstance(manifest, dict) and kind.maker in manifest else [MANIFEST]
    if others:
        raise UserError(
            f"{folder}: exists and is not {kind.an} ({others[0]} is in it). Choose another "
            "--output folder."
        )
    if names and existing == "refuse":
        raise UserError(
            f"{folder}: there is {kind.an} already, or what is begun of one. Go on with "
            "--resume, replace it with --fresh, or choose another --output folder."
        )


@contextmanager
def _scratch(folder: Folder, kind: FolderKind, existing: Existing) -> Iterator[Folder]:
    """Yield a folder for files that are begun; what a killed process left in it is removed."""
    scratch = folder / kind.scratch
    folder.remove(kind.scratch)
    if existing == "fresh":
        for name in sorted(folder.names(), key=lambda name: name != MANIFEST):
            if name not in MARKS:
                folder.remove(name)
    if folder.is_local:
        Path(scratch.path_of("")).mkdir(parents=True)
    try:
        yield scratch
    finally:
        folder.remove(kind.scratch)


def _survey(
    folder: Folder,
    parts: Iterable[Numbered],
    job: Job,
    existing: Existing,
    look: Callable[[list[str]], None],
) -> _Survey:
    """Count the texts, and find the files that are there; refuse other ones."""
    there = {name for name in folder.names() if PART.fullmatch(name)}
    if existing == "fresh":
        there = set()
    survey = _Survey()
    for number, texts in parts:
        look(texts)
        survey.texts.append(len(texts))
        name = part_name(number)
        if name in there:
            there.remove(name)
            entry, dim = _kept(folder, name, texts, job)
            if entry:
                survey.entries[number], survey.dims[number] = entry, dim
    for name in sorted(there):
        _kept(folder, name, [], job)
    if not survey.texts:
        raise UserError("no text in the inputs. Give other files.")
    return survey


def _kept(folder: Folder, name: str, wanted: list[str], job: Job) -> tuple[dict[str, Any], int]:
    """Read a file that is there: what the manifest says of it, if it can stay, and its dim."""
    part = read_part(job.kind, folder, name)
    if part.maker != job.maker:
        theirs = part.maker if job.maker_in_words == job.maker else "another one"
        raise UserError(
            f"{folder}: was made by the {job.kind.maker} {theirs}, not by {job.maker_in_words}. "
            "Give that one, replace all with --fresh, or choose another --output folder."
        )
    own = part.texts.to_pylist()
    if own == wanted:
        checksum = folder.sha256(name)
        return {"name": name, "rows": len(own), "sha256": checksum}, part.vectors.shape[1]
    if own != wanted[: len(own)]:  # else texts were added: it is written anew
        raise UserError(
            f"{folder / name}: was made of other texts. Give the same ones in the same order "
            "(more may follow them), replace all with --fresh, or choose another --output "
            "folder."
        )
    return {}, 0


def _check_dims(dims: Mapping[int, int], number: int, job: Job) -> None:
    """Refuse vectors of another size than those before."""
    other = next((n for n, dim in dims.items() if dim != dims[number]), None)
    if other is not None:
        raise UserError(
            f"{job.kind.maker} {job.maker_in_words}: its vectors have {dims[number]} numbers, but "
            f"those in {part_name(other)} have {dims[other]}. All must have as many."
        )
