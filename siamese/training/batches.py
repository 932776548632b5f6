"""The batches of an epoch, made ahead of the steps that train on them."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from siamese.config.recipe import Recipe
from siamese.data.batching import Batch, Teacher, make_batch
from siamese.data.dataset import TrainingData
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows, steps_per_epoch
from siamese.data.unlabelled import with_unlabelled
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary

# Batches that are made while one is trained on.
AHEAD = 2
NO_TEACHER = (
    "the recipe follows a teacher, which only `siamese train --teacher` can. Set "
    "training.teacher_epochs=0, loss.distillation=0 and sampling.unlabelled=0; or train with a "
    "teacher first, and go on from that model with --init."
)


class Batches:
    """Makes one worker's share of every batch: a function of the recipe, the epoch and the step.

    Args:
        recipe: every setting.
        data: the groups.
        vocabulary: gives the ids.
        rank: of this worker, from 0.
        world_size: the number of workers.
        teacher: of the run; None: there is none.

    Raises:
        UserError: the recipe follows a teacher, and there is none.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: TrainingData,
        vocabulary: Vocabulary,
        rank: int,
        world_size: int,
        teacher: Teacher | None = None,
    ) -> None:
        if recipe.uses_teacher and teacher is None:
            raise UserError(NO_TEACHER)
        self._recipe = recipe
        self._data = data
        self._vocabulary = vocabulary
        self._rank = rank
        self._world_size = world_size
        self._teacher = teacher
        # Columns for negatives that no group has would be compared for nothing.
        has_any = data.negatives or sum(data.sizes.labelled_pairs()[1])
        self._hard_negatives = recipe.loss.hard_negatives if has_any else 0
        self.per_epoch = steps_per_epoch(data, recipe.sampling)

    def make(self, epoch: int, step: int) -> Batch:
        """Make one batch.

        Args:
            epoch: from 0.
            step: within the epoch, from 0.
        """
        position = Position(self._recipe.seed, epoch, step, self._rank, self._world_size)
        rows = sample_rows(self._data, self._recipe.sampling, self._hard_negatives, position)
        # A teacher that the recipe never follows is for a loss of a user's own.
        is_followed = self._recipe.follows_teacher(epoch) or not self._recipe.uses_teacher
        teacher = self._teacher if is_followed else None
        if teacher and self._recipe.sampling.unlabelled:
            rows = with_unlabelled(rows, teacher, self._recipe.sampling.unlabelled, position)
        return make_batch(
            rows,
            self._vocabulary,
            self._recipe.text,
            self._hard_negatives,
            self._recipe.sampling.micro_batch_groups,
            teacher,
        )

    def of_epoch(self, epoch: int, first: int) -> Iterator[tuple[Batch, float]]:
        """Yield the batches of an epoch, each with the seconds that were spent waiting for it.

        A thread makes the next ones while the last one is trained on.

        Args:
            epoch: from 0.
            first: the step of the first batch, within the epoch, from 0.
        """
        with ThreadPoolExecutor(1, "batches") as pool:
            steps = iter(range(first, self.per_epoch))
            coming = deque(pool.submit(self.make, epoch, step) for step in islice(steps, AHEAD))
            while coming:
                start = time.perf_counter()
                batch = coming.popleft().result()
                waited = time.perf_counter() - start
                if (step := next(steps, None)) is not None:
                    coming.append(pool.submit(self.make, epoch, step))
                yield batch, waited
