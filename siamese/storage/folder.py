"""A folder to write a data set into and to read it from: local, or a URI of an object store."""

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of


class Folder:
    """A folder, local or in any file system that pyarrow or fsspec know; it need not exist.

    Args:
        uri: a local path, or a URI such as `s3://bucket/folder`.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri).rstrip("/")
        self.is_local = "://" not in self.uri
        self._filesystem, path = filesystem_of(self.uri)
        # A worker of Ray runs in a folder of its own.
        self._path = str(Path(path).absolute()) if self.is_local else path.rstrip("/")

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "Folder":
        if self.is_local:
            return Folder(f"{self.uri}/{name}")
        # Options of the store come last, such as in s3://bucket/folder?region=eu-west-1.
        location, mark, options = self.uri.partition("?")
        return Folder(f"{location.rstrip('/')}/{name}{mark}{options}")

    @property
    def name(self) -> str:
        """Return the last part of its path."""
        return self._path.rsplit("/", 1)[-1]

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self._path if self.is_local else self.uri,)

    def path_of(self, name: str) -> str:
        """Return where a file of the folder is, within the file system."""
        return f"{self._path}/{name}"

    def is_file(self, name: str) -> bool:
        """Say whether there is such a file in it."""
        return self._filesystem.isfile(self.path_of(name))

    def names(self) -> list[str]:
        """Return the sorted names of what is directly in it; none if there is no such folder."""
        self._filesystem.invalidate_cache()
        try:
            paths = self._filesystem.ls(self._path, detail=False)
        except FileNotFoundError:
            return []
        own = self._path.strip("/")
        return sorted(p.rstrip("/").rsplit("/", 1)[-1] for p in paths if p.strip("/") != own)

    def open(self, name: str) -> BinaryIO:
        """Open a file of it for reading bytes; the caller closes it."""
        return self._filesystem.open(self.path_of(name), "rb")

    def open_arrow(self, name: str) -> pa.NativeFile:
        """Open a file of it for Arrow, which maps local files into memory."""
        if self.is_local:
            return pa.memory_map(self.path_of(name))
        return pa.PythonFile(self.open(name), mode="r")

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file of it, in hexadecimal."""
        with self.open(name) as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def read_json(self, name: str) -> Any:
        """Read a JSON file that this project wrote.

        Raises:
            UserError: it is not JSON.
        """
        with self.open(name) as stream:
            data = stream.read()
        try:
            return json.loads(data)
        except ValueError as error:
            raise UserError(f"{self / name}: damaged ({error}). Make or copy it again.") from None

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a small file into it, whole."""
        self._filesystem.makedirs(self._path, exist_ok=True)
        self._filesystem.pipe_file(self.path_of(name), data)

    def download(self, name: str, path: Path) -> None:
        """Copy a file of it to a local one."""
        self._filesystem.get_file(self.path_of(name), str(path))

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file into it."""
        self._filesystem.makedirs(self._path, exist_ok=True)
        self._filesystem.put_file(str(path), self.path_of(name))

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        """Yield a local path to a file of it: itself, or a copy for as long as the block runs."""
        if self.is_local:
            yield Path(self.path_of(name))
            return
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / name
            self._filesystem.get_file(self.path_of(name), str(copy))
            yield copy

    @contextmanager
    def saving(self, name: str, scratch: "Folder") -> Iterator[Path]:
        """Yield a local path to write to; it becomes a file of the folder when the block succeeds.

        Whoever else looks sees nothing or the whole file, and of two who write it at the same time
        one wins.

        Args:
            name: of the file.
            scratch: a folder in the same file system, for what is begun; it must exist if local.
        """
        if self.is_local:
            begun = Path(scratch.path_of(f"{name}.{uuid.uuid4().hex}"))
            yield begun
            begun.replace(self.path_of(name))
            return
        with tempfile.TemporaryDirectory() as temporary:
            begun = Path(temporary) / name
            yield begun
            self._filesystem.makedirs(self._path, exist_ok=True)
            self._filesystem.put_file(str(begun), self.path_of(name))

    def remove(self, name: str) -> None:
        """Remove a file or a folder in it, if it is there."""
        if self.is_local:
            path = Path(self.path_of(name))
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        elif self._filesystem.exists(self.path_of(name)):
            self._filesystem.rm(self.path_of(name), recursive=True)
