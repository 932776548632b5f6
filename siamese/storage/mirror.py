"""A folder of this machine and its copy at a URI, such as `s3://bucket/runs/1`."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import fsspec

from siamese.storage.filesystem import filesystem_of
from siamese.storage.folder import Folder
from siamese.storage.ownership import MARKS

# A file that comes after the others of its folder: what lacks it is not complete.
LAST_OF_CHECKPOINT = "progress.json"
LAST_FILES = ("manifest.json", LAST_OF_CHECKPOINT)


class _Callback(fsspec.callbacks.Callback):
    """Reports that something has been copied; fsspec counts what."""

    def __init__(self, progress: Callable[[], None]) -> None:
        super().__init__()
        self._progress = progress

    def call(self, *_: object, **__: object) -> None:
        self._progress()


class Mirror:
    """Copies a folder to a URI and back. What stands at the URI is whole at any time.

    Args:
        local: the folder of this machine.
        uri: any that pyarrow or fsspec know.
        others: folders at the URI that somebody else writes; they are not copied here.
        progress: is called whenever a part of a file has been copied.
    """

    def __init__(
        self,
        local: Path,
        uri: str,
        others: tuple[str, ...] = (),
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.local = local
        self.uri = uri
        self._others = others
        self._callback = _Callback(progress)
        self._filesystem, self._root = filesystem_of(uri)
        self._copied: dict[str, tuple[int, int]] = {}

    def has(self, name: str) -> bool:
        """Say whether there is such a file at the URI."""
        return bool(self._filesystem.exists(self._remote(name)))

    def is_used(self, but: tuple[str, ...]) -> bool:
        """Say whether there is anything at the URI; files of these names do not count."""
        return any(name not in but for name in self._remote_files())

    def push(self) -> None:
        """Copy what has changed to the URI, and remove there what is no longer here.

        A file that makes a folder complete comes last: when the folder is replaced, its old one is
        removed before the others change.
        """
        here = {name: stamp for name, stamp in self._local_files() if not _is_hidden(name)}
        changed = [name for name, stamp in here.items() if self._copied.get(name) != stamp]
        for name in changed:
            if _is_last(name) and name in self._copied:
                self._filesystem.rm_file(self._remote(name))
        for name in sorted(changed, key=_is_last):
            remote = self._remote(name)
            self._filesystem.makedirs(str(PurePosixPath(remote).parent), exist_ok=True)
            self._filesystem.put_file(str(self.local / name), remote, callback=self._callback)
        # The files that make a folder complete go first, so that no half folder seems whole.
        for name in sorted(self._copied.keys() - here.keys(), key=lambda n: not _is_last(n)):
            self._filesystem.rm_file(self._remote(name))
        self._copied = here

    def pull(self) -> None:
        """Copy everything from the URI that belongs to a complete folder, replacing what is here.

        A checkpoint without its last file is left out: a kill cut its copy short.
        """
        names = [n for n in self._remote_files() if n.partition("/")[0] not in self._others]
        whole = {name for name in names if _is_last(name)}
        cut_short = []
        for name in names:
            top, _, rest = name.partition("/")
            checkpoint = rest.partition("/")[0]
            if top == "checkpoints" and f"{top}/{checkpoint}/{LAST_OF_CHECKPOINT}" not in whole:
                cut_short.append(name)
                continue
            target = self.local / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._filesystem.get_file(self._remote(name), str(target), callback=self._callback)
        # The next push removes what is not here.
        self._copied = {**dict.fromkeys(cut_short, (-1, -1)), **dict(self._local_files())}

    def remove(self) -> None:
        """Remove everything at the URI, but who owns it."""
        folder = Folder(self.uri)
        for name in folder.names():
            if name not in MARKS:
                folder.remove(name)
        self._copied = {}

    def _remote(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _remote_files(self) -> list[str]:
        if not self._filesystem.exists(self._root):
            return []
        root = self._root.strip("/")
        paths = self._filesystem.find(self._root)
        names = sorted(path.strip("/").removeprefix(root).strip("/") for path in paths)
        return [name for name in names if name not in MARKS]

    def _local_files(self) -> list[tuple[str, tuple[int, int]]]:
        return [
            (path.relative_to(self.local).as_posix(), (stat.st_size, stat.st_mtime_ns))
            for path in sorted(self.local.rglob("*"))
            if path.is_file()
            for stat in [path.stat()]
        ]


def _is_last(name: str) -> bool:
    return PurePosixPath(name).name in LAST_FILES


def _is_hidden(name: str) -> bool:
    """Say whether a file is still being written."""
    return any(part.startswith(".") for part in PurePosixPath(name).parts)
