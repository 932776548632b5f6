"""Ask a teacher about texts, and write what it says into a teacher folder, a file at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from siamese.data.reading import Texts
from siamese.errors import UserError
from siamese.progress import progress
from siamese.storage.folder import Folder
from siamese.storage.output import check_writable
from siamese.storage.ownership import MARKS, owning
from siamese.teaching.teacher import Teacher, unit_vectors
from siamese.teaching.teacher_folder import (
    MANIFEST,
    PART,
    TEXTS_PER_PART,
    entry_of,
    finish,
    hash_of_texts,
    part_name,
    read_part,
    write_part,
)

_SCRATCH = ".teaching"
Existing = Literal["refuse", "resume", "fresh"]
# Encodes the texts of files: yields the number of each and its vectors, in any order.
Encode = Callable[[Teacher, Sequence[tuple[int, list[str]]]], Iterator[tuple[int, np.ndarray]]]


def encode_here(
    teacher: Teacher, parts: Sequence[tuple[int, list[str]]]
) -> Iterator[tuple[int, np.ndarray]]:
    """Encode the texts of files one after the other, in this process."""
    for number, texts in parts:
        yield number, unit_vectors(teacher, texts)


def teach(
    inputs: list[str],
    teacher: Teacher,
    output: str,
    limit: int | None = None,
    existing: Existing = "refuse",
    encode: Encode = encode_here,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Write a teacher folder of the distinct texts of the inputs, in order of first appearance.

    Args:
        inputs: files, globs, folders or URIs; see `siamese.data.reading.Texts`.
        teacher: who is asked.
        output: the folder, a path or URI.
        limit: the first so many texts; None: all.
        existing: what to do with a folder that is there. `resume` keeps its files, as far as they
            are of this teacher and these texts, so that texts may have been added at the end.
        encode: where the work is done.
        encoding: of all text files.

    Returns:
        The manifest.

    Raises:
        UserError: an input or the teacher cannot be used, or something else is at `output`.
    """
    folder = Folder(output)
    _check_folder(folder, existing)
    texts = distinct_texts(Texts(inputs, encoding=encoding), limit)
    if not texts:
        raise UserError(f"{', '.join(inputs)}: no text in it. Give other files.")
    starts = range(0, len(texts), TEXTS_PER_PART)
    parts = [(n, texts[start : start + TEXTS_PER_PART]) for n, start in enumerate(starts)]
    with owning(output, resumes=existing == "resume"), _scratch(folder, existing) as scratch:
        kept = _kept(folder, parts, teacher.name)
        left = [(number, part) for number, part in parts if number not in kept]
        if left:
            folder.remove(MANIFEST)
        dims = dict(kept)
        with progress("teaching", sum(len(part) for _, part in left), "texts") as advance:
            for number, vectors in encode(teacher, left) if left else ():
                dims[number] = vectors.shape[1]
                _check_dims(dims, number, teacher)
                write_part(number, parts[number][1], vectors, teacher.name, folder, scratch)
                advance(len(vectors))
        files = [entry_of(folder, part_name(number), len(part)) for number, part in parts]
        about = {
            "teacher": teacher.name,
            "dim": dims[0],
            "texts": len(texts),
            "texts_sha256": hash_of_texts(texts),
        }
        return finish(folder, scratch, files, about)


def distinct_texts(texts: Iterable[str], limit: int | None) -> list[str]:
    """Return distinct texts in order of first appearance, without empty ones.

    Args:
        texts: any.
        limit: the first so many; None: all.
    """
    seen: dict[str, None] = {}
    for text in texts:
        if text.strip():
            seen[text] = None
            if len(seen) == limit:
                break
    return list(seen)


def _check_folder(folder: Folder, existing: Existing) -> None:
    """Refuse a folder that cannot be written, or that holds something else."""
    if folder.is_local:
        path = Path(folder.path_of("")).resolve()
        nearest = next(each for each in (path, *path.parents) if each.exists())
        if not nearest.is_dir():
            raise UserError(f"{folder}: {nearest} is a file. Choose another --output folder.")
    else:
        check_writable(folder.uri)
    names = [name for name in folder.names() if name not in (*MARKS, _SCRATCH)]
    others = [name for name in names if name != MANIFEST and not PART.fullmatch(name)]
    if not others and MANIFEST in names:
        manifest = folder.read_json(MANIFEST)
        others = [] if isinstance(manifest, dict) and "teacher" in manifest else [MANIFEST]
    if others:
        raise UserError(
            f"{folder}: exists and is not a teacher folder ({others[0]} is in it). Choose another "
            "--output folder."
        )
    if names and existing == "refuse":
        raise UserError(
            f"{folder}: there is a teacher folder already, or what is begun of one. Go on with "
            "--resume, replace it with --fresh, or choose another --output folder."
        )


@contextmanager
def _scratch(folder: Folder, existing: Existing) -> Iterator[Folder]:
    """Yield a folder for files that are begun; what a killed process left in it is removed."""
    scratch = folder / _SCRATCH
    folder.remove(_SCRATCH)
    if existing == "fresh":
        for name in sorted(folder.names(), key=lambda name: name != MANIFEST):
            if name not in MARKS:
                folder.remove(name)
    if folder.is_local:
        Path(scratch.path_of("")).mkdir(parents=True)
    try:
        yield scratch
    finally:
        folder.remove(_SCRATCH)


def _kept(folder: Folder, parts: Sequence[tuple[int, list[str]]], teacher: str) -> dict[int, int]:
    """Find the files that are there, and the numbers in their vectors; refuse other ones."""
    there = [name for name in folder.names() if PART.fullmatch(name)]
    expected = {part_name(number): (number, texts) for number, texts in parts}
    kept = {}
    for name in there:
        texts, vectors, by = read_part(folder, name)
        if by != teacher:
            raise UserError(
                f"{folder}: was made by the teacher {by}, not by {teacher}. Give that one, replace "
                "all with --fresh, or choose another --output folder."
            )
        number, wanted = expected.get(name, (-1, []))
        own = texts.to_pylist()
        if own == wanted:
            kept[number] = vectors.shape[1]
        elif own != wanted[: len(own)]:  # else texts were added: it is written anew
            raise UserError(
                f"{folder / name}: was made of other texts. Give the same ones in the same order "
                "(more may follow them), replace all with --fresh, or choose another --output "
                "folder."
            )
    return kept


def _check_dims(dims: Mapping[int, int], number: int, teacher: Teacher) -> None:
    """Refuse vectors of another size than those before."""
    other = next((n for n, dim in dims.items() if dim != dims[number]), None)
    if other is not None:
        raise UserError(
            f"teacher {teacher.name}: its vectors have {dims[number]} numbers, but those in "
            f"{part_name(other)} have {dims[other]}. All must have as many."
        )
