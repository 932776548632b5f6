"""Finding, opening and replacing files: local paths, globs, folders and URIs."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import fsspec
import pyarrow as pa
import pyarrow.fs
from fsspec.implementations.arrow import ArrowFSWrapper
from fsspec.implementations.local import LocalFileSystem

from siamese.errors import UserError

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


def local_path(location: str | Path) -> Path | None:
    """The absolute path of a local path or a `file://` URI; None for any other URI.

    Absolute, since a worker of Ray runs in a folder of its own.
    """
    path = str(location).removeprefix("file://")
    return None if "://" in path else Path(path).expanduser().absolute()


def filesystem_of(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a local path or a URI, and the path within it.

    Raises:
        UserError: no installed package knows the URI's scheme.
    """
    if "://" not in uri:
        return LocalFileSystem(), str(Path(uri).expanduser())
    try:
        arrow, path = pyarrow.fs.FileSystem.from_uri(uri)
        return ArrowFSWrapper(arrow), path
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass  # not one of pyarrow's own schemes
    try:
        return fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UserError(f"{uri}: {error}") from None


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


def sha256_of(path: Path) -> str:
    """The SHA-256 of a local file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` when the block succeeds.

    A reader sees the old file or the new one, never a half of either.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` to fill; put it in `path`'s place when the block succeeds."""
    path = path.resolve()  # the folder that a link points to is replaced, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        if path.exists():
            old = beside.with_name(beside.name + ".old")
            path.rename(old)
            beside.rename(path)
            shutil.rmtree(old)
        else:
            beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented UTF-8 JSON, whole or not at all."""
    with replacing(path) as beside:
        text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
        beside.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote.

    Raises:
        UserError: the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}). Make or copy it again.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
