"""A data file: local or at a URI, packed or not, in any encoding; read as lines or as UTF-8."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, cast

import fsspec

from siamese.errors import UserError
from siamese.storage.packed import unpacked, without_suffix
from siamese.text.encodings import UTF8, as_utf8, spoken

BOM = b"\xef\xbb\xbf"
# Bytes that are read at a time.
BLOCK = 1 << 17
# Bytes of a line, or of a group in one JSON object, at most: it is held in memory.
LONGEST = 256 << 20


@dataclass(frozen=True)
class DataFile:
    """One readable file.

    Attributes:
        filesystem: where it is.
        location: its path there, absolute: a worker of Ray runs in a folder of its own.
        path: its name for messages.
        data_set: the folder of the data set whose shard it is, if it is one.
        packing: how it is packed, as `packing_of` says; empty: it is not.
        member: which file of a zip it is, if it is one.
        encoding: Python's name of it.
    """

    filesystem: fsspec.AbstractFileSystem
    location: str
    path: str
    data_set: str = ""
    packing: str = ""
    member: str = ""
    encoding: str = UTF8

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else self.path

    @property
    def suffix(self) -> str:
        """Return the lower-case ending of the name, such as `.json`, also of `a.json.gz`."""
        inner = PurePosixPath(self.member).suffix if self.member else ""
        return (inner or PurePosixPath(without_suffix(self.path)).suffix).lower()

    @property
    def stem(self) -> str:
        """Return the name without folder and ending."""
        return PurePosixPath(self.member or without_suffix(self.path)).stem

    @property
    def can_seek(self) -> bool:
        """Say whether it can be read from any byte on: it is UTF-8 and not packed."""
        return not self.packing and self.encoding == UTF8

    def open_packed(self) -> BinaryIO:
        """Open for reading the bytes that are stored; the caller closes it."""
        try:
            return self.filesystem.open(self.location, "rb")
        except OSError as error:
            raise UserError(f"{self}: cannot be opened: {error.strerror or error}") from None

    def open_unpacked(self) -> BinaryIO:
        """Open for reading bytes in the file's own encoding; the caller closes it."""
        stream = self.open_packed()
        if not self.packing:
            return stream
        return unpacked(stream, self.packing, self.member, self.size(), str(self))

    def open(self) -> BinaryIO:
        """Open for reading bytes of UTF-8, perhaps with BOMs; the caller closes it."""
        return as_utf8(self.open_unpacked(), self.encoding)

    def size(self) -> int:
        """Return the number of bytes that are stored; 0 if the file system cannot tell."""
        return self.filesystem.size(self.location) or 0

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, str]]:
        """Yield `(number, line without its end)`, without BOMs at its beginning.

        Args:
            start: begin with the first line that starts at this byte or later; it is number 1. Only
                0 if the file cannot seek.
            end: leave out lines that start at this byte or later; None: leave out none.

        Raises:
            UserError: a line is not in the file's encoding, or is very long; names the file and the
                line.
        """
        with io.BufferedReader(cast(io.RawIOBase, self.open()), BLOCK) as stream:
            position = _seek_line(stream, start)
            for number, raw in enumerate(iter(partial(stream.readline, LONGEST), b""), start=1):
                if end is not None and position >= end:
                    return
                position += len(raw)
                if len(raw) == LONGEST:
                    raise UserError(
                        f"{self}, line {self.line_number(start, number)}: is longer than "
                        f"{LONGEST >> 20} MiB. Is this a file of text? If so, break the line."
                    )
                try:
                    line = raw.decode()
                except UnicodeDecodeError as error:
                    byte = f" (byte {raw[error.start]:#04x} at position {error.start + 1})"
                    raise UserError(
                        f"{self}, line {self.line_number(start, number)}: not valid "
                        f"{spoken(self.encoding)}{byte if self.encoding == UTF8 else ''}. Convert "
                        "the file to UTF-8, or say with --encoding what it is in."
                    ) from None
                # Files that were put together have them inside.
                yield number, line.lstrip("\ufeff").rstrip("\r\n")

    def line_number(self, start: int, number: int) -> int:
        """Find the number in the file of a line that `lines(start)` numbers so."""
        if start == 0:
            return number
        with io.BufferedReader(cast(io.RawIOBase, self.open()), BLOCK) as stream:
            left = _seek_line(stream, start)
            stream.seek(0)
            while left:
                block = stream.read(min(left, BLOCK))
                number += block.count(b"\n")
                left -= len(block) if block else left
        return number


def _seek_line(stream: BinaryIO, position: int) -> int:
    """Go to the first line that starts at a position or later, and return where it starts."""
    if position == 0:
        return 0
    stream.seek(position - 1)  # where the end of the line before may be
    stream.readline(LONGEST)
    return stream.tell()
