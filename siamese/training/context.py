"""Where a run happens: what `fit` needs to know of this process, and nothing of what carries it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from siamese.evaluation.pair_metrics import PairMetrics
from siamese.progress import progress
from siamese.training.checkpoint import newest_checkpoint
from siamese.training.execution import Execution
from siamese.training.run_folder import RunFolder

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf

# Writes a checkpoint, or the best model of one, into the folder it is given.
Save = Callable[[Path], None]
# Called with the number of units done since the last call, and a note.
Advance = Callable[..., None]

_SPEEDS = ("groups_per_second", "train_seconds", "input_seconds", "evaluation_seconds")
# The figures of every evaluation.
_USUAL = {"loss", *_SPEEDS, *(field.name for field in fields(PairMetrics))}


class Context(Protocol):
    """One worker of a run.

    There are three: this process (below), a worker of Ray Train, a trial of Ray Tune.

    Attributes:
        rank: of this worker, from 0; the first one writes the run folder.
        world_size: the number of workers.
        run: the run folder, or this node's copy of it.
        strategy: how TensorFlow connects the workers; one replica each.
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

    def heartbeat(self) -> None:
        """Report that the run makes progress; called at least at every step."""

    def checkpoint(self, step: int, save: Save, save_best: Save | None = None) -> None:
        """Keep a checkpoint; called by all workers together. Arguments as of `RunFolder.commit`."""

    def safe_point(self, step: int) -> None:
        """Say that all that was trained so far is in a checkpoint, or that nothing was.

        Called by all workers together: to start them again here costs no step.
        """

    def report(self, evaluation: dict[str, Any]) -> None:
        """Report an evaluation. Called by all workers together, after its checkpoint.

        Args:
            evaluation: its figures by name, with `epoch`, `step` and `is_best`.
        """

    def latest_checkpoint(self) -> Path | None:
        """Find the checkpoint to go on from, if there is one: the same for all workers."""


class LocalContext:
    """Runs one worker, in this process.

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
        """Show a bar or lines on stderr."""
        return progress(what, total, unit)

    def heartbeat(self) -> None:
        """Do nothing: nobody watches over this process."""

    def checkpoint(self, step: int, save: Save, save_best: Save | None = None) -> None:
        """Write the checkpoint, and remove all but the newest."""
        self.run.commit(step, save, save_best, self.execution.keep_checkpoints)

    def safe_point(self, step: int) -> None:
        """Do nothing: nobody starts this process again."""

    def report(self, evaluation: dict[str, Any]) -> None:
        """Print a line."""
        print_evaluation(evaluation)

    def latest_checkpoint(self) -> Path | None:
        """Find the newest checkpoint of the run folder that is whole."""
        return newest_checkpoint(self.run.checkpoints, self.say)

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, flush=True)


def print_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Print an evaluation for people, in one line.

    Args:
        evaluation: as in `Context.report`.
    """
    best = "  best so far" if evaluation["is_best"] else ""
    # Those of retrieval, or of a user's own evaluator.
    others = "".join(
        f"{name} {value:.4f}  "
        for name, value in evaluation.items()
        if isinstance(value, float) and name not in _USUAL
    )
    print(
        f"epoch {evaluation['epoch']:>2}  loss {evaluation['loss']:.4f}  "
        f"roc_auc {evaluation['roc_auc']:.4f}  accuracy {evaluation['accuracy']:.4f} at "
        f"threshold {evaluation['threshold']:.3f}  {others}"
        f"{evaluation['groups_per_second']:,.0f} groups/s, "
        f"{evaluation['train_seconds']:.1f} s + {evaluation['evaluation_seconds']:.1f} s "
        f"evaluation{best}",
        flush=True,
    )
