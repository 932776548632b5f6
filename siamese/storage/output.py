"""One file that a command writes: at a path or a URI, whole or not at all."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from siamese.errors import UserError
from siamese.storage.atomic import replacing
from siamese.storage.filesystem import filesystem_of, path_of


def check_output(location: str | Path, inputs: Iterable[str] = ()) -> None:
    """Refuse a file that cannot or must not be written, before the work and not after it.

    Args:
        location: a path or URI.
        inputs: what is read: none of these files may be replaced.

    Raises:
        UserError: it is a folder or one of the inputs, or its folder or bucket cannot be written.
    """
    path = path_of(location)
    if path is None:
        check_writable(str(location))
        return
    if str(location).endswith(os.sep) or path.is_dir():
        raise UserError(f"{location}: is a folder. Give the name of a file.")
    if path.exists() and not _is_plain(path):
        return  # a pipe or a device
    for name in inputs:
        read = path_of(name)
        if path.exists() and read is not None and read.exists() and path.samefile(read):
            raise UserError(f"{location}: is the input too. Choose another name.")
    folder = next(parent for parent in path.resolve().parents if parent.exists())
    if not folder.is_dir():
        raise UserError(f"{location}: {folder} is a file, not a folder. Choose another name.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{location}: {folder} may not be written. Choose another folder.")


def check_writable(uri: str) -> None:
    """Check that a file or folder at a URI can be written: a file is, beside it, and removed.

    Raises:
        UserError: the scheme is not known, or there is no such bucket or no access to it.
    """
    try:
        filesystem, path = filesystem_of(uri)
        # What is above a bucket, ".", is not a place to write.
        folders = [p for p in (PurePosixPath(path), *PurePosixPath(path).parents) if str(p) != "."]
        folder = next((p for p in folders if filesystem.isdir(str(p))), None)
        if folder is None:
            raise UserError(f"{uri}: no such bucket or folder. Make it, or choose another.")
        marker = str(folder / f".preflight-{uuid.uuid4().hex}")
        with filesystem.open(marker, "wb"):
            pass
        filesystem.rm_file(marker)
    except (OSError, NotImplementedError) as error:
        raise UserError(
            f"{uri}: cannot be written ({str(error) or 'its file system only reads'}). Check the "
            "access, or choose another folder."
        ) from None


@contextmanager
def saving(location: str | Path) -> Iterator[Path]:
    """Yield a local path to write to; it becomes the file when the block succeeds.

    A reader sees the old file or the new one, never a half of either. Of a link, the file that it
    points to is replaced; into a pipe or a device it is written.

    Args:
        location: a path or URI.

    Raises:
        UserError: the URI's scheme is not known.
    """
    path = path_of(location)
    if path is not None and (not path.exists() or _is_plain(path)):
        try:
            with replacing(path.resolve()) as beside:
                yield beside
        except OSError as error:  # of a full disk, which does not say where
            error.filename = error.filename or str(location)
            raise
        return
    with tempfile.TemporaryDirectory(prefix="siamese-output-") as temporary:
        begun = Path(temporary) / PurePosixPath(str(location)).name
        yield begun
        if path is not None:
            with begun.open("rb") as source, path.open("ab") as target:
                shutil.copyfileobj(source, target)
            return
        filesystem, remote = filesystem_of(str(location))
        filesystem.makedirs(str(PurePosixPath(remote).parent), exist_ok=True)
        filesystem.put_file(str(begun), remote)


def _is_plain(path: Path) -> bool:
    """Say whether a file may be replaced: no pipe or device, and not what /dev/stdout leads to."""
    return path.is_file() and path.parent not in (Path("/dev"), Path("/dev/fd"))
