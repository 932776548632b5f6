"""Where a run happens, as far as `fit` needs to know."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from siamese.progress import progress
from siamese.training.checkpoint import checkpoint_folders, remove_old_checkpoints
from siamese.training.execution import Execution
from siamese.training.run_folder import RunFolder

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf

# Writes a checkpoint into the folder it is given.
SaveCheckpoint = Callable[[Path], None]
# Tells that so many units more are done, with a note.
Advance = Callable[..., None]


class Context(Protocol):
    """One worker of a run.

    Attributes:
        rank: of this worker, from 0; the first one writes the run folder.
        world_size: the number of workers.
        run: the run folder, or this node's copy of it.
        strategy: how TensorFlow joins the workers; one replica each.
        execution: how the run is carried out.
        memory_mb: the cap on this worker's GPU memory in MiB that is in force, or None.
    """

    rank: int
    world_size: int
    run: RunFolder
    strategy: "tf.distribute.Strategy"
    execution: Execution
    memory_mb: int | None

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show how far the work is, as `siamese.progress.progress` does."""

    def beat(self) -> None:
        """Tell that the run makes progress; called at least at every step."""

    def checkpoint(self, step: int, save: SaveCheckpoint) -> None:
        """Keep a checkpoint that `save` writes. Called by all workers together."""

    def report(self, evaluation: dict[str, Any]) -> None:
        """Tell of an evaluation. Called by all workers together, after its checkpoint."""

    def latest_checkpoint(self) -> Path | None:
        """The checkpoint to go on from, if there is one: the same for all workers."""


class LocalContext:
    """A run of one worker, in this process.

    Args:
        run: the run folder.
        execution: how the run is carried out.
        memory_mb: the cap on GPU memory in MiB that is in force.
    """

    rank = 0
    world_size = 1

    def __init__(
        self,
        run: RunFolder,
        execution: Execution | None = None,
        memory_mb: int | None = None,
    ) -> None:
        from siamese.encoder.keras_tf import tf

        self.run = run
        self.strategy = tf.distribute.get_strategy()
        self.execution = execution or Execution()
        self.memory_mb = memory_mb

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """A bar or lines on stderr."""
        return progress(what, total, unit)

    def beat(self) -> None:
        """Nobody watches over this process."""

    def checkpoint(self, step: int, save: SaveCheckpoint) -> None:
        """Write the checkpoint, and remove all but the newest."""
        save(self.run.checkpoints / f"step-{step:08}")
        remove_old_checkpoints(self.run.checkpoints, self.execution.keep_checkpoints)
        self.run.publish()

    def report(self, evaluation: dict[str, Any]) -> None:
        """Print a line."""
        print_evaluation(evaluation)

    def latest_checkpoint(self) -> Path | None:
        """The newest checkpoint of the run folder."""
        return next(reversed(checkpoint_folders(self.run.checkpoints)), None)


def print_evaluation(evaluation: dict[str, Any]) -> None:
    """Print an evaluation for people, in one line."""
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
