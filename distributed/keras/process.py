"""One of the processes that train together, and all that training needs to know of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from siamese.progress import progress
from siamese.training.execution import Execution

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf

# Called with the number of units done since the last call, and a note.
Advance = Callable[..., None]


class Process(Protocol):
    """One process of a run: this one (below), or a worker of Ray Train's.

    Attributes:
        rank: of this process, from 0.
        world_size: the number of processes.
        strategy: how TensorFlow connects them; one replica each.
        execution: how the run is carried out.
        memory_mb: the cap on this process's GPU memory in MiB that is in force, or None.
    """

    rank: int
    world_size: int
    strategy: "tf.distribute.Strategy"
    execution: Execution
    memory_mb: int | None

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show how far the work is, as `siamese.progress.progress` does."""

    def heartbeat(self) -> None:
        """Say that there is progress."""

    def copied(self) -> None:
        """Say that a part of a file has been copied from or to a URI."""

    def begin(self, step: int | None) -> None:
        """Say that training begins, once, in the first process.

        Args:
            step: of the checkpoint that it goes on from; None: there is none.
        """

    def safe_point(self, step: int) -> None:
        """Say that all that was trained so far is in a checkpoint; called by all together.

        To start all again here, with more workers, costs no step.
        """

    def check_driver(self) -> None:
        """Raise an error if the process that started the run is gone, and so this one unwanted."""

    def report(self, figures: dict[str, Any]) -> None:
        """Hand figures to the process that started the run."""

    def say(self, text: str) -> None:
        """Have a line printed where the run was started."""

    def from_first(self, value: Any) -> Any:
        """Return the first process's value in all of them; all call it together."""


class ThisProcess:
    """Trains alone, without Ray.

    Args:
        execution: how the run is carried out.
        memory_mb: the cap on GPU memory that is in force.
        report: is given what is reported.
        say: prints a line.
    """

    rank = 0
    world_size = 1

    def __init__(
        self,
        execution: Execution,
        memory_mb: int | None,
        report: Callable[[dict[str, Any]], None],
        say: Callable[[str], None],
    ) -> None:
        from siamese.encoder.keras_tf import tf

        self.strategy = tf.distribute.get_strategy()
        self.execution = execution
        self.memory_mb = memory_mb
        self.report = report
        self.say = say

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show a bar or lines on stderr."""
        return progress(what, total, unit)

    def heartbeat(self) -> None:
        """Do nothing: nobody watches over this process."""

    def copied(self) -> None:
        """Do nothing, likewise."""

    def begin(self, step: int | None) -> None:
        """Say where training begins if it goes on."""
        if step is not None:
            self.say(f"training from step {step:,}")

    def safe_point(self, step: int) -> None:
        """Do nothing: nobody starts this process again."""

    def check_driver(self) -> None:
        """Do nothing: this process has started the run."""

    def from_first(self, value: Any) -> Any:
        """Return the value: there is no other process."""
        return value
