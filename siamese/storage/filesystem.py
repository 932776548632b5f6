"""Which file system a path or a URI belongs to."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.fs
from fsspec.implementations.arrow import ArrowFSWrapper
from fsspec.implementations.local import LocalFileSystem

from siamese.errors import UserError


def local_path(location: str | Path) -> Path | None:
    """Return the absolute path of a local path or a `file://` URI; None for any other URI.

    Absolute, since a worker of Ray runs in a folder of its own.
    """
    path = str(location).removeprefix("file://")
    return None if "://" in path else Path(path).expanduser().absolute()


def filesystem_of(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a local path or a URI, and the path within it.

    Raises:
        UserError: no installed package knows the URI's scheme.
    """
    if "://" not in uri:
        return LocalFileSystem(), str(Path(uri).expanduser())
    try:
        arrow, path = pyarrow.fs.FileSystem.from_uri(uri)
        return ArrowFSWrapper(arrow), path
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass  # not one of pyarrow's own schemes, which need no package for S3, GCS and Azure
    try:
        return fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UserError(f"{uri}: {error}") from None


def absolute(location: str) -> str:
    """Return a path or URI that means the same from any folder."""
    return str(local_path(location) or location)
