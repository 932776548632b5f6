"""One training run, ready to be carried out, and where that may happen."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.training.execution import Execution
from siamese.training.parts import Parts
from siamese.training.preparation import Prepared
from siamese.training.run_folder import RunFolder

if TYPE_CHECKING:
    from siamese.training.teaching import TeacherFolders


@dataclass(frozen=True)
class TrainingRun:
    """Everything that the workers of a run share.

    Attributes:
        data: the data set, a path or URI that every worker reads.
        pairs: development pairs.
        folder: the run folder, a path or URI; it is there.
        recipe: every setting.
        prepared: the vocabulary and the initial embeddings.
        execution: how the run is carried out.
        parts: of the user's own.
        teachers: what the workers share of them; None: there are none.
    """

    data: str
    pairs: list[Pair]
    folder: str
    recipe: Recipe
    prepared: Prepared
    execution: Execution
    parts: Parts = field(default_factory=Parts)
    teachers: "TeacherFolders | None" = None


class Place(Protocol):
    """Carries runs out: in this process (`Here`), or on a Ray cluster.

    Attributes:
        execution: how runs are carried out.
    """

    execution: Execution

    def check(self, read: list[str], run: str) -> list[str]:
        """Check that a run can be carried out, before anything is read or written.

        Args:
            read: paths and URIs that every worker must read.
            run: the run folder, a path or URI.

        Returns:
            Notes for the log.

        Raises:
            UserError: says what is missing.
        """

    def carry_out(self, run: TrainingRun, folder: RunFolder) -> None:
        """Train until the run has ended.

        Args:
            run: what its workers share.
            folder: the run folder, as this process has it open.

        Raises:
            UserError: a user's mistake shows only now, such as a batch that fits no memory.
            RunError: the workers failed more often than they may.
        """


class Here:
    """This process, without Ray.

    Args:
        execution: how runs are carried out; `workers` is (0, 0).
    """

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def check(self, read: list[str], run: str) -> list[str]:
        """Check nothing: reading and writing will."""
        return []

    def carry_out(self, run: TrainingRun, folder: RunFolder) -> None:
        """Train in this process. See `Place`."""
        # TensorFlow takes seconds to import: only once everything else is known to be good.
        from siamese.data.shards import read_shards
        from siamese.training.context import LocalContext
        from siamese.training.gpu_memory import cap_memory, memory_note
        from siamese.training.loop import fit
        from siamese.training.teaching import Teaching

        memory_mb = cap_memory(run.execution.gpu_memory_mb)
        if note := memory_note(run.execution.gpu_memory_mb, memory_mb):
            print(note)
        groups, _ = read_shards(run.data, verify=False)  # whoever made the run has verified it
        context = LocalContext(folder, run.execution, memory_mb)
        teacher = Teaching(run.teachers) if run.teachers else None
        fit(context, run.recipe, groups, run.pairs, run.prepared, run.parts, teacher)
