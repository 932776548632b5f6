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


class DataFile:
    """One readable file: a local path or any URI that pyarrow or fsspec knows."""

    def __init__(self, filesystem: fsspec.AbstractFileSystem, path: str) -> None:
        self.filesystem = filesystem
        self.path = path

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
            return self.filesystem.open(self.path, "rb")
        except OSError as error:
            raise UserError(f"{self}: cannot be opened: {error.strerror or error}") from None

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield `(line number, line without its end)`, decoded as UTF-8 with or without a BOM.

        Raises:
            UserError: a line is not UTF-8; names the file and the line.
        """
        with self.open() as stream:
            for number, raw in enumerate(stream, start=1):
                if number == 1:
                    raw = raw.removeprefix(BOM)
                try:
                    yield number, raw.decode("utf-8").rstrip("\r\n")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{self}, line {number}: not valid UTF-8 (byte {raw[error.start]:#04x} at "
                        f"position {error.start + 1}). Convert the file to UTF-8."
                    ) from None


def _filesystem(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
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
            filesystem, path = _filesystem(uri)
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
