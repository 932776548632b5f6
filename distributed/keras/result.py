"""What has come of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed.keras.context import State
from distributed.keras.run_folder import Progress, RunFolder
from distributed.keras.variables import variables_of
from siamese.errors import UserError
from siamese.storage.checkpoints import check_checkpoint, load_variables


@dataclass(frozen=True)
class Result:
    """Holds what a run reported and kept.

    Attributes:
        run: the run folder, a path or URI.
        reports: what the run reported, in order.
        checkpoint: the name of the newest checkpoint in `RUN/checkpoints`; None: there is none.
        step: of that checkpoint; 0 without one.
    """

    run: str
    reports: list[dict[str, Any]]
    checkpoint: str | None
    step: int

    @classmethod
    def of(cls, run: str | Path) -> "Result":
        """Read what has come of a run so far.

        Args:
            run: the run folder, a path or URI.

        Raises:
            UserError: there is no run, or it is damaged.
        """
        folder = _open(str(run))
        newest = folder.newest_checkpoint(print)
        at = check_checkpoint(newest, Progress) if newest else None
        name = newest.name if newest else None
        return cls(str(run), folder.read_log(), name, at.step if at else 0)

    @property
    def report(self) -> dict[str, Any]:
        """Return the last report; empty if there is none."""
        return self.reports[-1] if self.reports else {}

    def restore(self, **owners: Any) -> State:
        """Put the newest checkpoint's values into a model, or whatever else was kept.

        Args:
            owners: as in `Context.restore`, by the names that they had there; some of them, such as
                `model` alone, will do.

        Returns:
            The step of the checkpoint, and the values kept with it.

        Raises:
            UserError: there is no checkpoint, or it is not one of such a model.
        """
        if self.checkpoint is None:
            raise UserError(f"{self.run}: has no checkpoint yet.")
        folder = _open(self.run)  # of a run at a URI, a copy that goes with it
        checkpoint = folder.checkpoints / self.checkpoint
        at = check_checkpoint(checkpoint, Progress)
        load_variables(checkpoint, variables_of(owners))
        return State(at.step, at.values)


def _open(run: str) -> RunFolder:
    folder = RunFolder.open(run)
    if not folder.has_begun:
        raise UserError(f"{run}: holds no run.")
    return folder
