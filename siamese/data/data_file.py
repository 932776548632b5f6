"""Find and read data files: local paths, globs, folders and URIs."""

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of

BOM = b"\xef\xbb\xbf"
# Bytes that are read at a time.
BLOCK = 1 << 17


class DataFile:
    """One readable file: a local path or any URI that pyarrow or fsspec knows."""

    def __init__(self, filesystem: fsspec.AbstractFileSystem, path: str) -> None:
        self.filesystem = filesystem
        self.path = path
        # A worker of Ray runs in a folder of its own.
        local = isinstance(filesystem, LocalFileSystem)
        self._absolute = str(Path(path).absolute()) if local else path

    def __str__(self) -> str:
        return self.path

    @property
    def suffix(self) -> str:
        """Return the lower-case ending of the name, such as `.json`."""
        return PurePosixPath(self.path).suffix.lower()

    @property
    def stem(self) -> str:
        """Return the name without folder and ending."""
        return PurePosixPath(self.path).stem

    def open(self) -> BinaryIO:
        """Open for reading bytes; the caller closes it."""
        try:
            return self.filesystem.open(self._absolute, "rb")
        except OSError as error:
            raise UserError(f"{self}: cannot be opened: {error.strerror or error}") from None

    def size(self) -> int:
        """Return the number of bytes; 0 if the file system cannot tell."""
        return self.filesystem.size(self._absolute) or 0

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, str]]:
        """Yield `(number, line without its end)`, decoded as UTF-8 with or without a BOM.

        Args:
            start: begin with the first line that starts at this byte or later; it is number 1.
            end: leave out lines that start at this byte or later; None: leave out none.

        Raises:
            UserError: a line is not UTF-8; names the file and the line.
        """
        with io.BufferedReader(cast(io.RawIOBase, self.open()), BLOCK) as stream:
            position = _seek_line(stream, start)
            for number, raw in enumerate(stream, start=1):
                if end is not None and position >= end:
                    return
                if position == 0:
                    position, raw = len(raw), raw.removeprefix(BOM)
                else:
                    position += len(raw)
                try:
                    line = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{self}, line {self.line_number(start, number)}: not valid UTF-8 (byte "
                        f"{raw[error.start]:#04x} at position {error.start + 1}). Convert the file "
                        "to UTF-8."
                    ) from None
                yield number, line.rstrip("\r\n")

    def line_number(self, start: int, number: int) -> int:
        """Find the number in the file of a line that `lines(start)` numbers so."""
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
    stream.readline()
    return stream.tell()


def find_files(inputs: list[str], suffixes: tuple[str, ...]) -> list[DataFile]:
    """Expand paths, globs, folders and URIs into data files, in a fixed order.

    Args:
        inputs: a folder stands for every file below it that has one of the suffixes.
        suffixes: of data files, lower case.

    Raises:
        UserError: an input matches nothing, or a file is empty.
    """
    found: list[DataFile] = []
    for uri in inputs:
        try:
            filesystem, path = filesystem_of(uri)
            if filesystem.isfile(path):
                paths = [path]
            elif filesystem.isdir(path):
                paths = sorted(p for p in filesystem.find(path) if p.lower().endswith(suffixes))
            else:
                paths = sorted(p for p in filesystem.glob(path) if filesystem.isfile(p))
        except OSError as error:
            raise UserError(f"{uri}: cannot be read: {error}.") from None
        if not paths:
            hint = f"no {', '.join(suffixes)} file in it" if filesystem.isdir(path) else ""
            raise UserError(f"{uri}: {hint or 'no such file'}. Check the path or the pattern.")
        given = {str(file) for file in found}
        found += [DataFile(filesystem, p) for p in paths if p not in given]
    for file in found:
        if file.filesystem.size(file.path) == 0:
            raise UserError(f"{file}: the file is empty. Give a file with data, or leave it out.")
    return found
