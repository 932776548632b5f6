"""Ask a teacher about texts, and write what it says into a teacher folder, a file at a time."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from siamese.data.reading import Texts
from siamese.encoding.filling import Encode, Existing, Job, check_folder, encode_here, fill
from siamese.errors import UserError
from siamese.storage.folder import Folder
from siamese.teaching.teacher import Teacher, unit_vectors
from siamese.teaching.teacher_folder import TEACHER_FOLDER, TEXTS_PER_PART, hash_of_texts


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
    check_folder(Folder(output), TEACHER_FOLDER, existing)
    texts = distinct_texts(Texts(inputs, encoding=encoding), limit)
    if not texts:
        raise UserError(f"{', '.join(inputs)}: no text in it. Give other files.")
    starts = range(0, len(texts), TEXTS_PER_PART)
    parts = [(n, texts[start : start + TEXTS_PER_PART]) for n, start in enumerate(starts)]
    work = partial(unit_vectors, teacher)
    job = Job(TEACHER_FOLDER, teacher.name, teacher.name, work, encode)

    def about(count: int, dim: int) -> dict[str, Any]:
        digest = hash_of_texts(texts)
        return {"teacher": teacher.name, "dim": dim, "texts": count, "texts_sha256": digest}

    return fill(output, parts, job, existing, about)


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
