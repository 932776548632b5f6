"""Texts to be compared with each other: read once, those that read alike folded, and encoded."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from siamese.data.cleaning import half_a_pair
from siamese.data.format import find_inputs
from siamese.data.group import shorten
from siamese.data.records import Record
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoding.embeddings_folder import TEXTS_PER_PART, InParts, Work
from siamese.encoding.filling import Encode, Left
from siamese.errors import UserError
from siamese.progress import progress
from siamese.search.scratch import mapped

_AT_ONCE = 8192


def read_records(
    inputs: Sequence[str], column: str | None = None, encoding: str | None = None
) -> Iterator[Record]:
    """Yield the rows of tables with their texts; of other files every text, alone.

    Args:
        inputs: files, globs, folders or URIs, in any accepted format.
        column: that holds the texts; None: one of `siamese.data.records.TEXT_COLUMNS`.
        encoding: of all text files.

    Raises:
        UserError: here or on the way: an input is missing, empty, damaged or of another shape, or a
            text is no string.
    """
    for file, format in find_inputs(list(inputs), encoding=encoding):
        for record in format.records(file, column):
            if not isinstance(record.text, str):
                raise UserError(
                    f"{record.where}: the text must be a string, found {shorten(record.text)}."
                )
            yield record


def read_column(
    inputs: Sequence[str], column: str | None = None, encoding: str | None = None
) -> pa.LargeStringArray:
    """Read all texts of `read_records`.

    Raises:
        UserError: as there, or there is none.
    """
    parts: list[pa.Array] = [pa.array([], pa.large_string())]
    held: list[str] = []
    for record in read_records(inputs, column, encoding):
        try:
            record.text.encode()
        except UnicodeEncodeError:
            raise UserError(half_a_pair(record.where)) from None
        held.append(record.text)
        if len(held) == _AT_ONCE:
            parts.append(pa.array(held, pa.large_string()))
            held = []
    texts = pa.concat_arrays([*parts, pa.array(held, pa.large_string())])
    if not len(texts):
        raise UserError(f"{', '.join(inputs)}: no text in it. Give other files.")
    return texts


class TextSet:
    """Texts, of which those that the encoder reads alike are one.

    They read alike if they are the same after the vocabulary's reading, which may fold case, width
    and traditional characters. A text that is blank, or of which the encoder knows no character, is
    never near another: the encoder cannot tell such texts apart.

    Args:
        texts: all, in order.
        encoder: reads them.

    Attributes:
        texts: all.
        first: the number of the first text that reads as each one does, int64 `[texts]`.
        is_blank: whether each is blank, bool `[texts]`.
        unknown: how many different ones hold only unknown characters.
        compared: numbers of those that are compared, rising, int64.
    """

    def __init__(self, texts: pa.LargeStringArray, encoder: SentenceEncoder) -> None:
        self.texts = texts
        self._encoder = encoder
        vocabulary, max_length = encoder.vocabulary, encoder.recipe.text.max_length
        readings = []
        is_blank = np.zeros(len(texts), bool)
        is_unknown = np.zeros(len(texts), bool)
        for start in range(0, len(texts), _AT_ONCE):
            part = texts[start : start + _AT_ONCE].to_pylist()
            rows = slice(start, start + len(part))
            is_blank[rows] = [not text.strip() for text in part]
            is_unknown[rows] = list(vocabulary.are_unknown(part, max_length))
            readings.append(pa.array(list(map(vocabulary.read, part)), pa.large_string()))
        alike = pa.concat_arrays(readings).dictionary_encode().indices.to_numpy()
        firsts = np.unique(alike, return_index=True)[1].astype(np.int64)
        self.first = firsts[alike]
        self.is_blank = is_blank
        self.compared = np.sort(firsts[~(is_blank | is_unknown)[firsts]])
        self.unknown = int(np.count_nonzero(is_unknown[firsts] & ~is_blank[firsts]))

    def embeddings(self, path: Path, encode: Encode) -> np.ndarray:
        """Encode those that are compared, into a file that is mapped into memory.

        Args:
            path: of the file.
            encode: where the work is done.

        Returns:
            float32 `[compared, dim]`.
        """
        shape = len(self.compared), self._encoder.embedding_dim
        if not shape[0]:
            return np.zeros(shape, np.float32)
        target = mapped(path, shape)
        parts = InParts(_Chosen(self.texts, self.compared), TEXTS_PER_PART)
        left = Left(parts, -(-shape[0] // TEXTS_PER_PART))
        with progress("encoding", shape[0], "texts") as advance:
            for number, texts, vectors in encode(Work(self._encoder), left):
                start = number * TEXTS_PER_PART
                target[start : start + len(texts)] = vectors
                advance(len(texts))
        return target


class _Chosen:
    """Some of an array of texts, in order; as often as asked, and in any process."""

    def __init__(self, texts: pa.LargeStringArray, numbers: np.ndarray) -> None:
        self._texts, self._numbers = texts, numbers

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._numbers), _AT_ONCE):
            numbers = pa.array(self._numbers[start : start + _AT_ONCE])
            yield from self._texts.take(numbers).to_pylist()
