"""The folder of a run: its log and its checkpoints, of whatever is trained.

RUN/…                  files that say what the run is; the last of them marks that it has begun
RUN/metrics.jsonl      its figures, a line each
RUN/checkpoints/       the newest ones; a run continues from the last. See `checkpoints.py`
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from siamese.errors import UserError
from siamese.storage.atomic import flush, replacing, replacing_folder
from siamese.storage.checkpoints import (
    checkpoint_folders,
    folder_name,
    remove_old_checkpoints,
    step_of,
)
from siamese.storage.filesystem import local_path
from siamese.storage.mirror import Mirror
from siamese.storage.ownership import clear_folder, is_used

# What to do with a run folder that is there.
Existing = Literal["refuse", "resume", "fresh"]


class RunFolder:
    """Paths, log and checkpoints of one run; each kind of run has a class of its own.

    Args:
        path: the folder; for a run at a URI, this machine's copy of it.
        mirror: copies the folder to the URI.
    """

    # Files that say what the run is, in the order that they are written in: the run has begun once
    # the last one is there.
    first: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path, mirror: Mirror | None = None) -> None:
        self.path = path
        self._mirror = mirror
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.metrics_file = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"

    @classmethod
    def open(cls, run: str, progress: Callable[[], None] = lambda: None) -> Self:
        """Open the run folder at a path or a URI; of a URI, a copy that goes with the object.

        Args:
            run: the path or URI.
            progress: is called whenever a part of a file has been copied from or to the URI.

        Raises:
            UserError: the URI's scheme is not known.
        """
        if path := local_path(run):
            return cls(path)
        copy = tempfile.TemporaryDirectory(prefix="siamese-run-")
        mirror = Mirror(Path(copy.name), run, progress=progress)
        if mirror.has(cls.first[-1]):
            mirror.pull()
        folder = cls(Path(copy.name), mirror)
        folder._copy = copy  # removed with the object
        return folder

    def publish(self) -> None:
        """Copy what has changed to the run's URI, if it has one."""
        if self._mirror:
            self._mirror.push()

    @property
    def location(self) -> str:
        """Return the path or URI that the user knows the run by."""
        return self._mirror.uri if self._mirror else str(self.path)

    @property
    def has_begun(self) -> bool:
        """Say whether a run of this kind has begun in the folder."""
        return (self.path / self.first[-1]).is_file()

    def check(self, existing: Existing) -> None:
        """Check that the folder may be used; nothing is written or removed.

        Raises:
            UserError: it exists and is to be refused, is to be resumed and holds no run, or is to
                be replaced and holds something that is not a run.
        """
        begun = self.has_begun
        used = begun or is_used(self.path, but=self.first)
        used = used or (self._mirror is not None and self._mirror.is_used(but=self.first))
        if existing == "resume":
            if not begun:
                raise UserError(f"{self.location}: holds no run to resume. Leave out --resume.")
        elif existing == "refuse" and used:
            raise UserError(
                f"{self.location}: exists already. Continue that run with --resume, replace it "
                "with --fresh, or choose another --run folder."
            )
        elif used and not all((self.path / name).is_file() for name in self.first):
            raise UserError(
                f"{self.location}: is not the folder of a run, so --fresh will not delete it. "
                "Choose another --run folder."
            )

    def make(self, fresh: bool) -> None:
        """Make the folder of a run that is to begin, in the place of an older one if fresh."""
        if fresh and self.path.exists():
            clear_folder(self.path)
            if self._mirror:
                self._mirror.remove()
        self.path.mkdir(parents=True, exist_ok=True)

    def has_checkpoint(self) -> bool:
        """Look for a checkpoint to go on from."""
        return bool(checkpoint_folders(self.checkpoints))

    def log(self, line: dict[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        with self.metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")

    def read_log(self) -> list[dict[str, Any]]:
        """Read the lines of `metrics.jsonl`; one that a kill cut short is left out.

        Raises:
            UserError: a line is damaged; names it.
        """
        if not self.metrics_file.exists():
            return []
        log = []
        *lines, _ = self.metrics_file.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            try:
                read = json.loads(line)
                if not isinstance(read, dict):
                    raise ValueError("not an object")
                log.append(read)
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{self.metrics_file}, line {number}: damaged ({error}). Remove that line, or "
                    "start the run afresh with --fresh."
                ) from None
        return log

    def replace_log(self, lines: Iterable[dict[str, Any]]) -> None:
        """Write `metrics.jsonl` anew with these lines alone."""
        with replacing(self.metrics_file) as beside:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            beside.write_text(text, encoding="utf-8")

    def write_checkpoint(self, step: int, fill: Callable[[Path], None]) -> Path:
        """Write a checkpoint, whole or not at all; all that was logged is on the disk before.

        Args:
            step: that the run is at.
            fill: writes the checkpoint's files into a folder.
        """
        if self.metrics_file.exists():
            flush(self.metrics_file)
        checkpoint = self.checkpoints / folder_name(step)
        with replacing_folder(checkpoint) as beside:
            fill(beside)
        return checkpoint

    def keep_checkpoints(self, keep: int) -> None:
        """Remove all but the newest `keep` checkpoints, and copy what has changed to the URI."""
        remove_old_checkpoints(self.checkpoints, keep)
        self.publish()

    def drop_later(self, step: int) -> None:
        """Drop checkpoints of later steps, which are damaged, and what a kill left half-written."""
        for left in self.path.glob("checkpoints/.step-*"):
            shutil.rmtree(left)
        for left in self.path.glob(f".{self.metrics_file.name}.*"):
            left.unlink()
        for checkpoint in checkpoint_folders(self.checkpoints):
            if step_of(checkpoint) > step:
                shutil.rmtree(checkpoint)


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield a line for each setting of nested dictionaries that is no longer what it was."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}: was {old}, is {new}"
