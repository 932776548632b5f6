"""A folder to read, at a path or a URI, as a folder of this machine."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of, path_of


@contextmanager
def local_copy(location: str | Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield the folder itself, or of a URI a copy for as long as the block runs.

    What the block says of the copy in a `UserError`, it says of the URI.

    Args:
        location: a path or URI.
        names: of its files that are copied, as far as they are there.

    Raises:
        UserError: there is no such folder at the URI, or it cannot be read.
    """
    path = path_of(location)
    if path is not None:
        yield path
        return
    uri = str(location).rstrip("/")
    with tempfile.TemporaryDirectory(prefix="siamese-copy-") as temporary:
        copy = Path(temporary) / PurePosixPath(uri.partition("?")[0]).name
        _fetch(uri, copy, names)
        with naming(uri, copy):
            yield copy


@contextmanager
def naming(uri: str, copy: Path) -> Iterator[None]:
    """Name the URI in a `UserError` of the block, in the place of the copy."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(copy), uri)) from None


def _fetch(uri: str, copy: Path, names: Iterable[str]) -> None:
    filesystem, root = filesystem_of(uri)
    root = root.rstrip("/")
    try:
        if not filesystem.isdir(root):
            raise UserError(f"{uri}: no such folder. Check the name and the access to it.")
        for name in names:
            if filesystem.isfile(f"{root}/{name}"):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                filesystem.get_file(f"{root}/{name}", str(copy / name))
    except (OSError, NotImplementedError) as error:
        raise UserError(f"{uri}: cannot be read ({error}). Check the access to it.") from None
