"""Files and folders that are there as a whole or not at all."""

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
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged ({error}). Make or copy it again.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
