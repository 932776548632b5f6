"""The folder of a run of `KerasTrainer`.

RUN/run.json           the arguments of the function that trains
RUN/metrics.jsonl      what the run reported, a line each
RUN/checkpoints/       the newest ones, each with
    step-00000300/variables.npz     the values of all that was given to `Context.restore`
    step-00000300/progress.json     the step, the values kept with it, the lines of the log
    step-00000300/manifest.json     the checksums of the two; written last
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from siamese.errors import UserError
from siamese.storage import run_folder
from siamese.storage.atomic import read_json, write_json
from siamese.storage.checkpoints import newest_checkpoint
from siamese.storage.run_folder import differences

_NAME = "run.json"


@dataclass
class Progress:
    """Holds where a run stood at a checkpoint.

    Attributes:
        step: as in `Context.checkpoint`.
        values: that were kept with it.
        logged: lines in the log before it.
    """

    step: Annotated[int, Field(ge=0)]
    values: dict[str, Any] = field(default_factory=dict)
    logged: Annotated[int, Field(ge=0)] = 0


class RunFolder(run_folder.RunFolder):
    """Paths, log and checkpoints of one run."""

    first = (_NAME,)

    def start(self, config: Mapping[str, Any], fresh: bool) -> None:
        """Begin a run in the folder, in the place of an older one if `fresh`."""
        self.make(fresh)
        write_json(self.path / _NAME, {"config": dict(config)})
        self.publish()

    def check_same(self, config: Mapping[str, Any]) -> None:
        """Check that a run to be resumed was started with these arguments.

        Raises:
            UserError: names every one that differs.
        """
        started = read_json(self.path / _NAME)
        before = started.get("config") if isinstance(started, dict) else None
        if not isinstance(before, dict):
            raise UserError(f"{self.path / _NAME}: damaged. Start the run afresh with --fresh.")
        if found := list(differences(before, dict(config))):
            raise UserError(
                f"{self.location}: was started with another config; a resumed run must keep it.\n"
                + "\n".join(f"  {line}" for line in found)
            )

    def newest_checkpoint(self, say: Any) -> Path | None:
        """Find the newest checkpoint that is whole.

        Args:
            say: is given a sentence about each newer one that is damaged.

        Raises:
            UserError: all are damaged.
        """
        return newest_checkpoint(self.checkpoints, Progress, say)

    def rewind(self, at: Progress | None) -> int:
        """Drop what came after a checkpoint, or all of it if there is none.

        Returns:
            Lines that are left in the log.
        """
        self.drop_later(at.step if at else -1)
        lines = self.read_log()[: at.logged if at else 0]
        self.replace_log(lines)
        return len(lines)
