"""Where a run happens, as far as `fit` needs to know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from siamese.checkpoint import checkpoint_folders, remove_old_checkpoints
from siamese.run_folder import KEPT_CHECKPOINTS, RunFolder

# Writes a checkpoint into the folder it is given.
SaveCheckpoint = Callable[[Path], None]


class Context(Protocol):
    """One worker of a run."""

    rank: int
    world_size: int
    run: RunFolder

    def report(self, evaluation: dict[str, Any], save: SaveCheckpoint) -> None:
        """Tell of an evaluation, and keep a checkpoint that `save` writes."""

    def latest_checkpoint(self) -> Path | None:
        """The checkpoint to go on from, if there is one."""


class LocalContext:
    """A run of one worker, in this process."""

    rank = 0
    world_size = 1

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    def report(self, evaluation: dict[str, Any], save: SaveCheckpoint) -> None:
        """Keep the checkpoint and the one before, and print a line."""
        save(self.run.checkpoints / f"step-{evaluation['step']:08}")
        remove_old_checkpoints(self.run.checkpoints, KEPT_CHECKPOINTS)
        best = "  best so far" if evaluation["is_best"] else ""
        print(
            f"epoch {evaluation['epoch']:>2}  loss {evaluation['loss']:.4f}  "
            f"roc_auc {evaluation['roc_auc']:.4f}  accuracy {evaluation['accuracy']:.4f} at "
            f"threshold {evaluation['threshold']:.3f}  "
            f"{evaluation['groups_per_second']:,.0f} groups/s, "
            f"{evaluation['train_seconds']:.1f} s + {evaluation['evaluation_seconds']:.1f} s "
            f"evaluation{best}",
            flush=True,
        )

    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint of the run folder."""
        return next(reversed(checkpoint_folders(self.run.checkpoints)), None)
