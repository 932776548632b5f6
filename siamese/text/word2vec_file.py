"""Read the vectors of some characters from a word2vec file, text or binary, and write one.

    COUNT SIZE⏎
    TOKEN␠NUMBER␠NUMBER…⏎        text: SIZE numbers
    TOKEN␠BYTES⏎                 binary: SIZE float32, little-endian; not all writers end lines

A token may be a blank or hold one, as gensim writes them for texts that had blanks.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import numpy as np

from siamese.errors import UserError
from siamese.storage.atomic import replacing
from siamese.storage.packed import BEGINNING, members_of, packing_of, unpacked
from siamese.text.encodings import SAMPLE, UTF8, as_utf8, recognised, spoken

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?\s*(\d{1,40})\s+(\d{1,40})\s*")
# Bytes of a token, or of a line of text, at most.
_LONGEST_TOKEN, _LONGEST_LINE = 4096, 1 << 24
_BLOCK = 1 << 20


class Header(NamedTuple):
    """What the first line promises.

    Attributes:
        vectors: how many.
        dim: numbers in each.
    """

    vectors: int
    dim: int


class Vectors:
    """A word2vec file.

    Args:
        path: the file, which may be packed with gzip, zstd or zip; its content says what it is, not
            its name (the notebook's `token_vec_300.bin` is text).

    Raises:
        UserError: it cannot be read, or does not begin as such files do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as stream:
            sample = stream.read(SAMPLE)
        whole = len(sample) < SAMPLE
        self._encoding = UTF8
        if not _HEADER.match(sample.partition(b"\n")[0]):
            self._encoding = recognised(sample, whole)
            with as_utf8(self._open(), self._encoding) as stream:
                sample = stream.read(SAMPLE)
        first, _, rest = sample.partition(b"\n")
        header = _HEADER.fullmatch(first)
        if not header:
            raise UserError(
                f"{path}, line 1: a word2vec file begins with `COUNT SIZE`, found "
                f"{first[:60].decode(UTF8, 'replace').rstrip()!r}. Give a word2vec file, or make "
                "one with `siamese vectors`."
            )
        self.header = Header(int(header[1]), int(header[2]))
        self.is_text = self._encoding != UTF8 or _looks_like_text(rest, self.header.dim)
        if self.is_text and self._encoding == UTF8:
            self._encoding = recognised(sample, whole)
        if self._encoding != UTF8:
            print(f"{path}: read as {spoken(self._encoding)}", file=sys.stderr, flush=True)

    def of(self, tokens: "set[str]") -> "dict[str, np.ndarray]":
        """Read the vectors of some tokens; of a token that is there twice, the first.

        Returns:
            float32 `[dim]` of each token that has one.

        Raises:
            UserError: the file is damaged, or a vector holds what is no number.
        """
        wanted = {token.encode(): token for token in tokens}
        found: dict[str, np.ndarray] = {}
        with as_utf8(self._open(), self._encoding) as stream:
            stream.readline(_LONGEST_LINE)
            read = self._read_text if self.is_text else self._read_binary
            for where, key, numbers in read(stream):
                token = wanted.get(key)
                if token is None or token in found:
                    continue
                if isinstance(numbers, bytes):
                    vector = np.frombuffer(numbers, "<f4").astype(np.float32)
                else:
                    vector = self._parsed(numbers, where)
                if not np.isfinite(vector).all():
                    raise UserError(
                        f"{self.path}{where}: the vector of {token!r} holds NaN or infinity. Train "
                        "or download the vectors again."
                    )
                found[token] = vector
        return found

    def _open(self) -> BinaryIO:
        try:
            size, stream = self.path.stat().st_size, self.path.open("rb")
        except OSError as error:
            raise UserError(f"{self.path}: cannot read the vectors: {error.strerror}.") from None
        packing, member = packing_of(stream.read(BEGINNING)), ""
        stream.seek(0)
        if packing == "zip":
            names = [n for n in members_of(stream, str(self.path)) if not n.startswith("__MACOSX")]
            if len(names) != 1:
                stream.close()
                raise UserError(
                    f"{self.path}: a zip of {len(names)} files. Give one that holds the vectors "
                    "alone, or unpack it."
                )
            [member] = names
            stream.seek(0)
        return unpacked(stream, packing, member, size, str(self.path)) if packing else stream

    def _read_text(self, stream: BinaryIO) -> Iterator[tuple[str, bytes, list[bytes]]]:
        """Yield where it stands, the token and the numbers of each vector."""
        found, number, line_before = 0, 1, b""
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if not line.strip():
                line_before = line  # the token is a line end, or this is the file's end
                continue
            token, numbers = _split(line, self.header.dim) or (b"", [])
            if not token and not (line_before and numbers):
                self._refuse(
                    f", line {number}",
                    f"has {line.rstrip().count(b' ')} numbers, its header promises "
                    f"{self.header.dim}",
                )
            found, line_before = found + 1, b""
            yield f", line {number}", token, numbers
        if found != self.header.vectors:
            self._refuse("", f"has {found:,} vectors, its header promises {self.header.vectors:,}")

    def _read_binary(self, stream: BinaryIO) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield where it stands, the token and the bytes of each vector."""
        size = 4 * self.header.dim
        data, at = b"", 0
        lines_end = False
        for found in range(self.header.vectors):
            if len(data) - at < size + _LONGEST_TOKEN:
                data, at = data[at:] + stream.read(max(_BLOCK, size)), 0
            if found == 1:
                lines_end = data[at : at + 1] == b"\n"
            at += lines_end
            # A token has a character at least, which may be a blank.
            blank = data.find(b" ", at + 1, at + _LONGEST_TOKEN)
            if blank < 0 or len(data) - blank - 1 < size:
                self._refuse(
                    "", f"has {found:,} vectors, its header promises {self.header.vectors:,}"
                )
            token, vector = data[at:blank], data[blank + 1 : blank + 1 + size]
            at = blank + 1 + size
            yield f", vector {found + 1}", token, vector
        if (data[at:] + stream.read(_BLOCK)).strip(b"\n"):
            self._refuse("", f"goes on after the {self.header.vectors:,} vectors of its header")

    def _parsed(self, numbers: list[bytes], where: str) -> np.ndarray:
        try:
            return np.array([float(number) for number in numbers], np.float32)
        except ValueError as error:
            self._refuse(where, str(error))

    def _refuse(self, where: str, problem: str) -> NoReturn:
        raise UserError(
            f"{self.path}{where}: broken word2vec file: {problem}. Write or download it again."
        ) from None


def _split(line: bytes, dim: int) -> tuple[bytes, list[bytes]] | None:
    """Split a line of text into its token and its numbers; None: it has too few or too many."""
    token, *numbers = line.rstrip().rsplit(b" ", min(dim, len(line)))
    if len(numbers) != dim or (b" " in token and _is_number(token.rpartition(b" ")[2])):
        return None
    return token, numbers


def _looks_like_text(rest: bytes, dim: int) -> bool:
    """Say whether the lines after the header are text; a binary vector may look like a line end."""
    lines = rest.lstrip(b"\r\n").split(b"\n", 1)
    numbers = (_split(lines[0], dim) or (b"", lines[0].rstrip().split(b" ")[1:]))[1]
    return bool(numbers) and all(map(_is_number, numbers))


def _is_number(written: bytes) -> bool:
    try:
        float(written)
    except ValueError:
        return False
    return True


def save_vectors(path: Path, vectors: "dict[str, np.ndarray]") -> None:
    """Write vectors in word2vec's text format, with four decimals."""
    dim = len(next(iter(vectors.values())))
    with replacing(path) as beside, beside.open("w", encoding="utf-8") as stream:
        stream.write(f"{len(vectors)} {dim}\n")
        for character, vector in vectors.items():
            stream.write(f"{character} {' '.join(f'{number:.4f}' for number in vector)}\n")
