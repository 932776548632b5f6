"""The texts of a batch, and the position in a run that decides which they are."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Position:
    """Where in a run a batch is drawn, and which share of it.

    Attributes:
        seed: the recipe's seed.
        epoch: from 0.
        step: within the epoch, from 0.
        rank: of this worker.
        world_size: number of workers; divides `sampling.batch_groups`.
    """

    seed: int
    epoch: int
    step: int
    rank: int = 0
    world_size: int = 1

    def share(self, size: int) -> slice:
        """Return which groups of a global batch of `size` are this worker's."""
        return slice(self.rank * size // self.world_size, (self.rank + 1) * size // self.world_size)

    def generator(self, *purpose: int) -> np.random.Generator:
        """Make a generator of random numbers that depends on seed, epoch, step and purpose.

        Args:
            purpose: a number of one's own, so that several draws at a position are independent.
        """
        return np.random.default_rng((self.seed, self.epoch, self.step, *purpose))


@dataclass(frozen=True)
class Rows:
    """The texts of one worker's share of a batch: B positive pairs of B groups, and N other pairs.

    The rows of the encoder's batch are the groups' first texts, then their second texts, then the
    first and then the second texts of the other pairs, then the hard negatives, then unlabelled
    texts: row `i` and row `i + B` are a positive pair.

    Attributes:
        first: one text per group `[B]`.
        second: another text of the same group `[B]`.
        others: the first texts of the other pairs, then their second texts `[2 N]`.
        negatives: hard negatives of any of the groups `[H]`.
        own: for each group, its texts: none of them may serve as its negative `[B]`. Every other
            row is a negative to every group.
        pairs: the rows of the two texts of each labelled pair, the groups' positive pairs first,
            int32 `[B + N + 2 H, 2]`.
        grades: how much the two texts of each such pair mean the same, from 0 to 1, float32
            `[B + N + 2 H]`.
        noise: what each row's dropout is drawn from, uint32 `[2 B + 2 N + H + U]`.
        unlabelled: texts that only a teacher knows something about `[U]`.
    """

    first: list[str]
    second: list[str]
    others: list[str]
    negatives: list[str]
    own: list[tuple[str, ...]]
    pairs: np.ndarray
    grades: np.ndarray
    noise: np.ndarray
    unlabelled: list[str] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Return all rows `[2 B + 2 N + H + U]`."""
        return self.first + self.second + self.others + self.negatives + self.unlabelled
