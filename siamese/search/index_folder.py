"""The index folder: what is in it, read and written so that every state of it is whole.

    DIR/manifest.json                    which segments make up the index now; written last
    DIR/segment-00000001.embeddings.npy  float32 [rows, dim]
    DIR/segment-00000001.entries.arrow   `id`, `text`, and `fields` as JSON
    DIR/segment-00000001.ids.npy         uint64 [2, rows]: hashes of the ids, in order, and the rows
    DIR/segment-00000001.graph.usearch   only of a large segment: its graph of neighbours
    DIR/segment-00000001.deleted-3.npy   only after a removal: int64, rows that are no longer there

No file is changed once it is there. A change writes new files and then puts a new manifest in the
place of the old one; what no manifest names any more is removed after that. So a reader finds the
old state or the new one, and after a kill there is the old one.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from siamese.errors import UserError
from siamese.search.manifest import FILE, MANIFEST, Manifest, Record, parsed_manifest
from siamese.storage.atomic import flush, replacing, sha256_of
from siamese.storage.filesystem import local_path
from siamese.storage.folder import Folder
from siamese.storage.output import check_writable
from siamese.storage.ownership import owning

# A file of up to so many bytes is held against its checksum when it is opened; of a larger one only
# the size is looked at, so that opening does not read it.
CHECKED_BYTES = 256 << 20
_LARGEST_MANIFEST = 16 << 20


class IndexFolder:
    """An index folder at a path or a URI; of one at a URI, a copy on this machine.

    Args:
        location: a path or URI; there need not be anything.
    """

    def __init__(self, location: str | Path) -> None:
        self.location = str(location).rstrip("/") or "/"
        path = local_path(location)
        self._remote = None if path else Folder(self.location)
        self._temporary = None if path else tempfile.TemporaryDirectory(prefix="siamese-index-")
        self.here = path or Path(self._temporary.name)  # type: ignore[union-attr]
        self._checked: set[str] = set()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder while the block runs: no other process can change it.

        Raises:
            UserError: another process owns it, it is a file, or it cannot be written.
        """
        if self._remote:
            check_writable(self.location)
        with owning(self.location if self._remote else self.here, name=self.location):
            yield

    def read(self) -> Manifest:
        """Read the manifest.

        Raises:
            UserError: there is none, or it is damaged or of another version.
        """
        data = self._read_bytes()
        if data is None:
            problem = f"not an index, {MANIFEST} is missing" if self.names() else "no such index"
            raise UserError(f"{self.location}: {problem}. `siamese index` builds one.")
        return parsed_manifest(data, f"{self.location}/{MANIFEST}")

    def version(self) -> str | None:
        """Return the version of the state that is there now; None: there is none."""
        data = self._read_bytes()
        return (
            None if data is None else parsed_manifest(data, f"{self.location}/{MANIFEST}").version
        )

    def is_index(self) -> bool:
        """Say whether what is there is an index, or was one before it was damaged."""
        return b'"index": "siamese"' in (self._read_bytes() or b"")[:200]

    def _read_bytes(self) -> bytes | None:
        try:
            if self._remote:
                if not self._remote.is_file(MANIFEST):
                    return None
                with self._remote.open(MANIFEST) as stream:
                    return stream.read(_LARGEST_MANIFEST)
            with (self.here / MANIFEST).open("rb") as stream:
                return stream.read(_LARGEST_MANIFEST)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self) -> list[str]:
        """Return the names of what is in it."""
        if self._remote:
            return self._remote.names()
        return sorted(path.name for path in self.here.iterdir()) if self.here.is_dir() else []

    def fetch(self, record: Record) -> None:
        """Have the files of a segment here, and check that they are those that were written.

        Raises:
            FileNotFoundError: one is not there: a writer may have removed it just now.
            UserError: one is truncated or altered.
        """
        for name, (size, checksum) in record.files.items():
            path = self.here / name
            if self._remote and not path.exists():
                with replacing(path) as beside:
                    self._remote.download(name, beside)
            if name in self._checked:
                continue
            if not path.resolve().is_relative_to(self.here.resolve()):
                raise UserError(
                    f"{self.location}/{name}: a link out of the folder. Copy the file itself."
                )
            found = path.stat().st_size
            if found != size or (size <= CHECKED_BYTES and sha256_of(path) != checksum):
                raise UserError(
                    f"{self.location}/{name}: not the file that was saved (its size or SHA-256 is "
                    f"not the one in {MANIFEST}): truncated or altered. Build or copy the index "
                    "again."
                )
            self._checked.add(name)

    def describe(self, names: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Return what a manifest says of files that have just been written here."""
        described = {}
        for name in names:
            path = self.here / name
            flush(path)
            described[name] = path.stat().st_size, sha256_of(path)
        self._checked |= described.keys()
        return described

    def commit(self, manifest: Manifest, old: Manifest | None) -> None:
        """Put a new state in the place of the old one: its files are here.

        Args:
            manifest: of the new state.
            old: of the state that is there.
        """
        if self._remote:
            for name in sorted(manifest.names - (old.names if old else set())):
                self._remote.upload(self.here / name, name)
            self._remote.write_bytes(MANIFEST, manifest.to_bytes())
        else:
            with replacing(self.here / MANIFEST) as beside:
                beside.write_bytes(manifest.to_bytes())
        self.clean(manifest)

    @contextmanager
    def tidied(self) -> Iterator[None]:
        """Remove what was written if the block fails, whether or not it came to its commit."""
        try:
            yield
        except BaseException:
            with suppress(UserError):
                self.clean(self.read() if MANIFEST in self.names() else None)
            raise

    def clean(self, manifest: Manifest | None) -> None:
        """Remove the files of segments that a state does not need; only for who owns the folder."""
        needed = manifest.names if manifest else set()
        for name in self.names():
            if FILE.fullmatch(name) and name not in needed:
                if self._remote:
                    self._remote.remove(name)
                else:
                    (self.here / name).unlink(missing_ok=True)
        self.forget(manifest)

    def forget(self, manifest: Manifest | None) -> None:
        """Forget the files of other states, and remove copies of them."""
        needed = manifest.names if manifest else set()
        self._checked &= needed
        if self._remote:
            for path in self.here.iterdir():
                if path.name not in needed:
                    path.unlink()
