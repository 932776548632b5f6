"""Which file system a path or a URI belongs to."""

import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import fsspec
import pyarrow as pa
import pyarrow.fs
from fsspec.implementations.arrow import ArrowFSWrapper
from fsspec.implementations.local import LocalFileSystem

from siamese.errors import UserError


def path_of(location: str | Path) -> Path | None:
    """Return the path of a local path or a `file:` URI; None for any other URI.

    Raises:
        UserError: it is a `file:` URI of another machine or of no absolute path, or begins like a
            URI that lost a slash, which would be taken for a folder named `s3:`.
    """
    text = str(location)
    scheme, colon, _ = text.partition(":")
    if scheme.lower() == "file" and colon:
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise UserError(
                f"{text}: not a file of this machine. Write file:///, then the whole path."
            )
        return Path(unquote(parts.path))
    if re.match(r"[A-Za-z][\w+.-]+:/(?!/)", text):
        raise UserError(f"{text}: neither a path nor a URI. A URI begins {scheme}://")
    if "://" in text:
        return None
    with suppress(RuntimeError):  # there is no such user, and ~ is a name like any other
        return Path(text).expanduser()
    return Path(text)


def local_path(location: str | Path) -> Path | None:
    """Return the absolute path of a local path or a `file://` URI; None for any other URI.

    Absolute, since a worker of Ray runs in a folder of its own.
    """
    path = path_of(location)
    return None if path is None else path.absolute()


def filesystem_of(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system of a local path or a URI, and the path within it.

    Raises:
        UserError: no installed package knows the URI's scheme; or as in `path_of`.
    """
    if "://" not in uri:
        return LocalFileSystem(), str(path_of(uri))
    hub = uri.startswith("hf://")
    try:
        if not hub:  # pyarrow would wrap what fsspec has
            arrow, path = pyarrow.fs.FileSystem.from_uri(uri)
            return ArrowFSWrapper(arrow), path
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass  # not one of pyarrow's own schemes, which need no package for S3, GCS and Azure
    try:
        return fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        hint = ": pip install 'siamese-ray[hf]'" if hub else ""
        raise UserError(f"{uri}: {error}{hint}") from None


def absolute(location: str) -> str:
    """Return a path or URI that means the same from any folder."""
    return str(local_path(location) or location)
