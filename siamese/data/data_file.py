"""Find and read data files: local paths, globs, folders and URIs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import fsspec
import pyarrow as pa
import pyarrow.fs
from fsspec.implementations.local import LocalFileSystem

from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of

DATA_SUFFIXES = (".json", ".jsonl", ".tsv", ".csv", ".txt", ".parquet")
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
        """The lower-case ending of the name, such as `.json`."""
        return PurePosixPath(self.path).suffix.lower()

    @property
    def stem(self) -> str:
        """The name without folder and ending."""
        return PurePosixPath(self.path).stem

    def open(self) -> BinaryIO:
        """Open for reading bytes; the caller closes it."""
        try:
            return self.filesystem.open(self._absolute, "rb")
        except OSError as error:
            raise UserError(f"{self}: cannot be opened: {error.strerror or error}") from None

    def size(self) -> int:
        """Bytes; 0 if the file system cannot tell."""
        return self.filesystem.size(self._absolute) or 0

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, str]]:
        """Yield `(number, line without its end)`, decoded as UTF-8 with or without a BOM.

        Args:
            start: begin with the first line that starts at this byte or later; it is number 1.
            end: lines that start at this byte or later are left out; None: none are.

        Raises:
            UserError: a line is not UTF-8; names the file and the line.
        """
        number = 0
        with self.open() as stream:
            first = _next_line_start(stream, start)
            for block in _blocks_of_lines(stream, None if end is None else end - first):
                if number == first == 0:
                    block = block.removeprefix(BOM)
                try:
                    lines = block.decode("utf-8").split("\n")
                except UnicodeDecodeError:
                    yield from self._until_invalid(block, start, number)
                for line in lines:
                    number += 1
                    yield number, line.rstrip("\r")

    def _until_invalid(self, block: bytes, start: int, done: int) -> Iterator[tuple[int, str]]:
        """Yield lines up to the first that is not UTF-8, and refuse that one."""
        for number, raw in enumerate(block.split(b"\n"), start=done + 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{self}, line {self.line_number(start, number)}: not valid UTF-8 (byte "
                    f"{raw[error.start]:#04x} at position {error.start + 1}). Convert the file to "
                    "UTF-8."
                ) from None
            yield number, line.rstrip("\r")

    def line_number(self, start: int, number: int) -> int:
        """The number in the file of a line that `lines(start)` numbers so."""
        with self.open() as stream:
            left = _next_line_start(stream, start)
            stream.seek(0)
            while left:
                block = stream.read(min(left, BLOCK))
                number += block.count(b"\n")
                left -= len(block) if block else left
        return number


def _next_line_start(stream: BinaryIO, position: int) -> int:
    """Go to the first line that starts at a position or later, and say where it starts."""
    if position == 0:
        return 0
    position -= 1  # where the end of the line before may be
    stream.seek(position)
    while block := stream.read(BLOCK):
        if end := block.find(b"\n") + 1:
            stream.seek(position + end)
            return position + end
        position += len(block)
    return position


def _blocks_of_lines(stream: BinaryIO, length: int | None) -> Iterator[bytes]:
    """Yield blocks of whole lines without the last line end, from where the stream is.

    Args:
        stream: at the start of a line.
        length: lines that start this many bytes further on, or later, are left out.
    """
    if length is not None and length <= 0:
        return
    begun: list[bytes] = []  # the pieces of a line whose end has not been read
    done = 0
    while block := stream.read(BLOCK):
        end = 0  # of the last line, if it ends in this block
        if length is not None and done + len(block) >= length:
            end = block.find(b"\n", max(length - done - 1, 0)) + 1
        done += len(block)
        block = block[:end] if end else block
        whole = block.rfind(b"\n") + 1
        if whole:
            yield b"".join([*begun, block[: whole - 1]])
            begun = []
        begun.append(block[whole:])
        if end:
            return
    if last := b"".join(begun):
        yield last


def find_files(inputs: list[str]) -> list[DataFile]:
    """Expand paths, globs, folders and URIs into data files, in a fixed order.

    A folder stands for every data file below it (`.json .jsonl .tsv .csv .txt .parquet`).

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
                paths = sorted(
                    p for p in filesystem.find(path) if p.lower().endswith(DATA_SUFFIXES)
                )
            else:
                paths = sorted(p for p in filesystem.glob(path) if filesystem.isfile(p))
        except OSError as error:
            raise UserError(f"{uri}: cannot be read: {error}.") from None
        if not paths:
            hint = f"no {', '.join(DATA_SUFFIXES)} file in it" if filesystem.isdir(path) else ""
            raise UserError(f"{uri}: {hint or 'no such file'}. Check the path or the pattern.")
        given = {str(file) for file in found}
        found += [DataFile(filesystem, p) for p in paths if p not in given]
    for file in found:
        if file.filesystem.size(file.path) == 0:
            raise UserError(f"{file}: the file is empty. Give a file with data, or leave it out.")
    return found


@contextmanager
def reading_parquet(file: DataFile) -> Iterator[None]:
    """Tell of a file that is damaged or not Parquet by its name."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file}: not Parquet, or damaged ({error}). Write or download it again."
        ) from None
