"""Where a data set is written: it is there as a whole, or not at all."""

import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from siamese.data.shards import MANIFEST
from siamese.errors import UserError
from siamese.storage.atomic import flush_folder, put_in_place
from siamese.storage.folder import Folder
from siamese.storage.ownership import MARKS, owning

_UNFINISHED = ".sharding-"
# What is written to a URI, besides the manifest.
_OWN = re.compile(rf"part-\d{{5,}}\.parquet|vocabulary\.json|{re.escape(_UNFINISHED)}[0-9a-f]{{8}}")


def check_output(output: str, fresh: bool) -> None:
    """Check that a data set may be written there.

    Raises:
        UserError: something else is there, or a data set and `fresh` is not set.
    """
    folder = Folder(output)
    if folder.is_local and Path(output).expanduser().is_file():
        raise UserError(f"{output}: is a file. Choose another --output folder.")
    names = [name for name in folder.names() if name not in MARKS]
    if not names or _is_unfinished(folder, names):
        return
    # Of any version, so that an older data set can be replaced; but not some other program's.
    manifest = folder.read_json(MANIFEST) if MANIFEST in names else None
    if not isinstance(manifest, dict) or not {"schema_version", "files"} <= manifest.keys():
        raise UserError(f"{output}: exists and is not a data set. Choose another --output folder.")
    if not fresh:
        raise UserError(
            f"{output}: a data set is there already. Replace it with --fresh, or choose another "
            "--output folder."
        )


def _is_unfinished(folder: Folder, names: list[str]) -> bool:
    """Say whether this is what a process left that was killed while it wrote to a URI."""
    return (
        not folder.is_local
        and all(_OWN.fullmatch(name) for name in names)
        and any(name.startswith(_UNFINISHED) for name in names)
    )


@contextmanager
def writing(output: str, fresh: bool) -> Iterator[tuple[Folder, Folder]]:
    """Yield the folder to write a data set into, and one for what is needed on the way.

    When the block succeeds, the data set is at `output`; when it fails, all that it wrote is gone.
    A local data set is written beside `output`, in a hidden folder, and takes its place as a whole.
    One at a URI is written in its place: `make_room` clears that first, and the manifest makes it
    valid. What a process left that was killed is removed.

    Args:
        output: a local path or a URI.
        fresh: as in `check_output`.

    Raises:
        UserError: as `check_output`, or another process writes there.
    """
    folder = Folder(output)
    if folder.is_local:
        with _beside(Path(output).expanduser().resolve(), output, fresh) as (data, sorted_runs):
            yield data, sorted_runs
        return
    scratch = folder / f"{_UNFINISHED}{uuid.uuid4().hex[:8]}"
    with owning(output):
        check_output(output, fresh)
        try:
            yield folder, scratch
        except BaseException:
            if not folder.is_file(MANIFEST):
                make_room(folder)
            raise
        finally:
            folder.remove(scratch.name)


def make_room(folder: Folder, scratch: Folder | None = None) -> None:
    """Remove a data set, its manifest first, and what a process left that was killed.

    Args:
        folder: that `writing` yielded.
        scratch: stays.
    """
    names = folder.names()
    if MANIFEST in names:
        folder.remove(MANIFEST)
    # What marks the folder as ours goes last: a kill in between must not make it seem another's.
    for name in sorted(names, key=lambda name: _UNFINISHED in name):
        if _OWN.fullmatch(name) and not (scratch and name == scratch.name):
            folder.remove(name)


@contextmanager
def _beside(path: Path, output: str, fresh: bool) -> Iterator[tuple[Folder, Folder]]:
    prefix = f".{path.name}{_UNFINISHED}"
    # A folder of its own holds the lock: the one of the data set is replaced as a whole.
    lock = path.with_name(f"{prefix}lock")
    with owning(lock, name=output):
        check_output(output, fresh)
        for left in path.parent.iterdir():  # by processes that were killed
            if left.name.startswith(prefix) and left != lock:
                shutil.rmtree(left, ignore_errors=True)
        # Of a new name each time: a worker of a process that was killed may still write.
        work = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix))
        try:
            (work / "data").mkdir()
            (work / "sorted-runs").mkdir()
            yield Folder(work / "data"), Folder(work / "sorted-runs")
            flush_folder(work / "data")
            put_in_place(work / "data", path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):  # made by a process that was killed
        lock.rmdir()
