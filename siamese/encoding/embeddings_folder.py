"""A folder of embeddings: every text of some inputs with its embedding, in the order of the inputs.

DIR/part-00000.parquet …   `text` and `embedding`, float32 [dim]
DIR/manifest.json          written last: whose embeddings, how many, and the files' checksums
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from siamese.data.reading import Texts
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoding.filling import (
    Encode,
    Existing,
    Job,
    Numbered,
    check_folder,
    encode_here,
    fill,
)
from siamese.encoding.part_folder import FolderKind, Part, read_manifest, read_part
from siamese.errors import UserError
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.text.notes import TextNotes

EMBEDDINGS = FolderKind(
    name="embeddings folder",
    command="siamese encode",
    doing="encoding",
    column="embedding",
    numbers=pa.float32(),
    maker="fingerprint",
    count="rows",
)
# Texts in a file, but for the last: what each worker loses when the work is stopped. 8 MiB of 128
# numbers each, a second's work or a few.
TEXTS_PER_PART = 16384


class Work:
    """Makes the embeddings of texts, here or in a worker.

    Args:
        encoder: makes them.
        normalize: scale them to unit length.
    """

    def __init__(self, encoder: SentenceEncoder, normalize: bool = False) -> None:
        self._encoder = encoder
        self._normalize = normalize

    def __call__(self, texts: list[str]) -> np.ndarray:
        """Return the embeddings of texts, float32 `[texts, dim]`."""
        return self._encoder.encode(texts, normalize_embeddings=self._normalize)


class InParts(Iterable[Numbered]):
    """Texts in lists of one size, numbered from 0; read as often as asked, and by any process.

    Args:
        texts: read as often, and pickled.
        size: of each list but the last.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        self._texts = texts
        self._size = size

    def __iter__(self) -> Iterator[Numbered]:
        texts = iter(self._texts)
        return enumerate(iter(lambda: list(islice(texts, self._size)), []))


def encode_folder(
    inputs: list[str],
    encoder: SentenceEncoder,
    output: str,
    normalize: bool = False,
    existing: Existing = "refuse",
    encode: Encode = encode_here,
    encoding: str | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Write the embeddings of every text of the inputs, in their order, into a folder.

    The same bytes come of the same inputs and model, wherever the work is done and however often it
    was stopped. All inputs are read once before anything is changed, so that a mistake in the last
    line is told at once.

    Args:
        inputs: files, globs, folders or URIs; see `siamese.data.reading.Texts`.
        encoder: makes the embeddings.
        output: the folder, a path or URI.
        normalize: scale them to unit length.
        existing: what to do with a folder that is there. `resume` goes on with what was stopped, or
            with texts that were added at the end.
        encode: where the work is done.
        encoding: of all text files.

    Returns:
        The manifest, and a line each about texts that a user should know of.

    Raises:
        UserError: an input cannot be used, or something else is at `output`.
    """
    check_folder(Folder(output), EMBEDDINGS, existing)
    _check_apart(inputs, output)
    texts = Texts(inputs, encoding=encoding)
    notes = TextNotes(encoder.vocabulary, encoder.recipe.text.max_length)
    parts = InParts(texts, TEXTS_PER_PART)
    normalized = " normalized" * normalize
    job = Job(
        EMBEDDINGS,
        encoder.fingerprint + normalized,
        f"{encoder.fingerprint[:12]}…{normalized}",
        Work(encoder, normalize),
        encode,
    )

    def about(count: int, dim: int) -> dict[str, Any]:
        fingerprint = encoder.fingerprint
        return {"fingerprint": fingerprint, "normalized": normalize, "rows": count, "dim": dim}

    return fill(output, parts, job, existing, about, notes.add), notes.lines()


def _check_apart(inputs: list[str], output: str) -> None:
    """Refuse to write into a folder that is read."""
    target = path_of(output)
    for name in inputs:
        path = path_of(name)
        if target is None or path is None:
            inside = f"{name}/".startswith(f"{output.rstrip('/')}/")
        else:
            inside = path.resolve().is_relative_to(target.resolve())
        if inside:
            raise UserError(f"{output}: {name} is in it, and is the input. Choose another folder.")


class Embeddings:
    """Reads a folder of embeddings, a file at a time.

    Args:
        folder: a path or URI.

    Attributes:
        fingerprint: of the encoder that made them; compare it with `SentenceEncoder.fingerprint`.
        normalized: whether they are of unit length.
        dim: numbers in each.

    Raises:
        UserError: it is not a complete folder of embeddings.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Folder(folder)
        self._manifest = read_manifest(EMBEDDINGS, self._folder)
        self.fingerprint = str(self._manifest["fingerprint"])
        self.normalized = bool(self._manifest.get("normalized"))
        self.dim = int(self._manifest["dim"])

    def __len__(self) -> int:
        """Return the number of texts."""
        return int(self._manifest["rows"])

    def __iter__(self) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yield the texts of each file, and their embeddings, float32 `[texts, dim]`.

        Raises:
            UserError: a file is missing, damaged, or not of this folder.
        """
        for file in self._manifest["files"]:
            part = self._part(file["name"])
            if part.vectors.shape != (file["rows"], self.dim):
                raise UserError(
                    f"{self._folder / file['name']}: {' x '.join(map(str, part.vectors.shape))} "
                    f"numbers, where the manifest says {file['rows']} x {self.dim}. Run `siamese "
                    "encode` again."
                )
            yield part.texts.to_pylist(), part.vectors

    def vectors(self, out: np.ndarray | None = None) -> np.ndarray:
        """Read all embeddings.

        Args:
            out: where to: float32 `[len, dim]`, such as a `np.memmap`; None: a new array.
        """
        out = np.empty((len(self), self.dim), np.float32) if out is None else out
        start = 0
        for texts, vectors in self:
            out[start : start + len(texts)] = vectors
            start += len(texts)
        return out

    def _part(self, name: str) -> Part:
        if not self._folder.is_file(name):
            raise UserError(
                f"{self._folder / name}: is missing. Run `siamese encode` with --resume."
            )
        return read_part(EMBEDDINGS, self._folder, name)


def read_embeddings(folder: str | Path) -> Embeddings:
    """Open what `siamese encode` wrote: iterate over it, or ask it for all `vectors`.

    Example:
        >>> for texts, vectors in read_embeddings("embeddings"):
        ...     index.add(texts, vectors)

    Raises:
        UserError: it is not a complete folder of embeddings.
    """
    return Embeddings(folder)
