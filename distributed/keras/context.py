"""What the function that trains is given: this worker, its share, checkpoints, reports."""

import json
import operator
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distributed.keras.process import Advance, Process
from distributed.keras.run_folder import Progress, RunFolder
from distributed.keras.variables import variables_of
from siamese.errors import UserError
from siamese.storage.checkpoints import (
    Owned,
    check_checkpoint,
    load_variables,
    values_of,
    write_checkpoint,
)

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import tf


@dataclass(frozen=True)
class State:
    """Says where training stands.

    Attributes:
        step: of the checkpoint that it goes on from; 0 if there is none.
        values: that were kept with it.
    """

    step: int = 0
    values: dict[str, Any] = field(default_factory=dict)


class Context:
    """One worker of a run. Every worker calls the same methods in the same order.

    Attributes:
        rank: of this worker, from 0.
        world_size: the number of workers; of an elastic run, those that there are now.
        strategy: build the model and the optimizer in its `scope()`, and call its `run` inside of a
            `tf.function`. A worker is one replica.
        memory_mb: the cap on this worker's GPU memory in MiB that is in force, or None.
        run: the run folder's path; of a run at a URI, that of this worker's copy.
    """

    def __init__(self, process: Process, folder: RunFolder) -> None:
        self.rank = process.rank
        self.world_size = process.world_size
        self.strategy: tf.distribute.Strategy = process.strategy
        self.memory_mb = process.memory_mb
        self.run = folder.path
        self._process = process
        self._folder = folder
        self._owned: Owned = {}
        self._step = 0
        self._logged = 0

    def restore(self, **owners: Any) -> State:
        """Take up the newest checkpoint, if there is one, and have these kept in those to come.

        Call it once, when all is built, before the first step.

        Args:
            owners: by name: what has variables. A model, an optimizer (build it for the model's
                trainable variables first), metrics, a `keras.random.SeedGenerator`, or a list of
                variables.

        Returns:
            Where to go on from.

        Raises:
            UserError: one of them has no variables yet, the checkpoint is not one of such a model,
                or all checkpoints are damaged.
        """
        self._owned = variables_of(owners)
        newest = None if self.rank else self._folder.newest_checkpoint(self._process.say)
        name = self._process.from_first(newest.name if newest else None)
        checkpoint = self._folder.checkpoints / name if name else None
        at = check_checkpoint(checkpoint, Progress) if checkpoint else None
        if self.rank == 0:
            self._logged = self._folder.rewind(at)
            self._process.begin(at.step if at else None)
        if checkpoint is None or at is None:
            return State()
        load_variables(checkpoint, self._owned)
        self._step = at.step
        self.heartbeat()
        return State(at.step, at.values)

    def steps(self, first: int, total: int, unit: str = "steps") -> Iterator[int]:
        """Yield the steps that are left, show how far the work is, and say that there is progress.

        Args:
            first: from 0: `state.step`.
            total: of the whole run.
            unit: what they are called.
        """
        with self.progress("training", max(total - first, 0), unit) as advance:
            for step in range(first, total):
                yield step
                advance(1)
                self.heartbeat()

    def share(self, *arrays: Any) -> Any:
        """Take this worker's rows of a batch that all workers have.

        The shares lie in the order of the ranks, and are as equal as can be.

        Args:
            arrays: with the batch's rows as their first dimension, of one length.

        Returns:
            The rows of each, as a tuple; of one array alone, its rows.

        Raises:
            UserError: there are fewer rows than workers, or the arrays differ in length.
        """
        lengths = {len(array) for array in arrays}
        if len(lengths) != 1:
            raise UserError(f"context.share: the arrays have {sorted(lengths)} rows; give as many.")
        [rows] = lengths
        if rows < self.world_size:
            raise UserError(
                f"context.share: a batch of {rows} rows cannot be shared by {self.world_size} "
                "workers. Give larger batches, or fewer workers."
            )
        start, end = (place * rows // self.world_size for place in (self.rank, self.rank + 1))
        shares = tuple(array[start:end] for array in arrays)
        self.heartbeat()
        return shares if len(shares) > 1 else shares[0]

    def report(self, figures: Mapping[str, Any]) -> None:
        """Report figures: the first worker's are printed, and go to `RUN/metrics.jsonl`.

        Report before the checkpoint of the same step: what is reported after the newest checkpoint
        is dropped when the run goes on from there, as it will be reported again.

        Args:
            figures: by name: numbers (of NumPy's and TensorFlow's too), texts, lists.

        Raises:
            UserError: one of them is none of these.
        """
        plain = _plain(figures, "context.report")
        if self.rank == 0:
            self._folder.log(plain)
            self._logged += 1
            self._process.report(plain)
        self.heartbeat()

    def checkpoint(self, step: int, **values: Any) -> None:
        """Keep the values of all that `restore` was given: whole, or not at all.

        All workers call it together; the first one writes.

        Args:
            step: to go on from: the number of steps that have been taken.
            values: numbers, texts or lists to keep with it: a best loss, an epoch.

        Raises:
            UserError: there was no `restore`, the step is before the last one's, or a value is no
                JSON.
        """
        if not self._owned:
            raise UserError("context.checkpoint: call context.restore(model=…) first.")
        step = operator.index(step)  # of NumPy's too
        if step < self._step:
            raise UserError(
                f"context.checkpoint: step {step} comes after step {self._step}. Give the number "
                "of steps that have been taken in all, state.step included."
            )
        kept = _plain(values, "context.checkpoint", finite=True)
        # To read those of a metric is to add up all workers': each of them has to.
        arrays = values_of(self._owned)
        self._step = step
        if self.rank == 0:
            self._process.check_driver()
            progress = asdict(Progress(step, kept, self._logged))

            def fill(folder: Path) -> None:
                write_checkpoint(folder, arrays, progress)

            self._folder.write_checkpoint(step, fill)
            self._folder.keep_checkpoints(self._process.execution.keep_checkpoints)
        self.heartbeat()
        self._process.safe_point(step)

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show how far some work is, where the run was started.

        Yields `advance(n, note="")`, to call after every `n` units done.

        Args:
            what: what is being done.
            total: units to do.
            unit: what the units are.
        """
        return self._process.progress(what, total, unit)

    def heartbeat(self) -> None:
        """Say that there is progress: needed at least every `stall_seconds`.

        `steps`, `share`, `report` and `checkpoint` do so.
        """
        self._process.heartbeat()

    def say(self, text: str) -> None:
        """Have a line printed where the run was started, by the first worker alone."""
        if self.rank == 0:
            self._process.say(text)


def _plain(values: Mapping[str, Any], where: str, finite: bool = False) -> dict[str, Any]:
    """Turn numbers of NumPy's and TensorFlow's into Python's.

    Args:
        values: by name.
        where: names the call in an error.
        finite: whether infinity and NaN are refused.

    Raises:
        UserError: one of them cannot be written as JSON.
    """
    plain = {}
    for name, value in values.items():
        if hasattr(value, "numpy"):
            value = value.numpy()
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        try:
            json.dumps(value, allow_nan=not finite)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{where}: {name} cannot be written as JSON ({error}). Give numbers, texts, lists "
                "or None."
            ) from None
        plain[name] = value
    return plain
