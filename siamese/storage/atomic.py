"""Files and folders that are there as a whole or not at all, also after a loss of power."""

import ctypes
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siamese.errors import UserError


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a local file, in hexadecimal."""
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
        flush(beside)
        beside.replace(path)
        flush(path.parent)
    except OSError as error:
        raise _naming(path, error) from None
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a folder beside `path` to fill; put it in `path`'s place when the block succeeds.

    Where the file system can exchange two names, a reader sees the old folder or the new one at
    any moment.
    """
    path = path.resolve()  # the folder that a link points to is replaced, not the link
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        flush_folder(beside)
        put_in_place(beside, path)
    except OSError as error:
        raise _naming(path, error) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _naming(path: Path, error: OSError) -> OSError:
    """Have an error of writing, such as a full disk, name what was to be written."""
    if error.filename is None and error.errno is not None:
        error.filename = str(path)
    return error


def put_in_place(beside: Path, path: Path) -> None:
    """Rename a folder to `path`; what was there is removed.

    Args:
        beside: in the same file system; all in it has been flushed.
        path: where it goes.
    """
    if not path.exists():
        beside.rename(path)
    elif not _exchange(beside, path):
        old = beside.with_name(beside.name + ".old")
        path.rename(old)
        beside.rename(path)
        shutil.rmtree(old)
    flush(path.parent)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot: the best that can be had
            raise
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Have a folder and all that is in it on the disk when this returns."""
    for path in folder.rglob("*"):
        flush(path)
    flush(folder)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names at once; False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not Linux
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0


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
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}). Make or copy it again.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
