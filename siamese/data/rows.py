"""The texts of a batch, and the position in a run that decides which they are."""

from dataclasses import dataclass

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
    """The texts of one worker's share of a batch: B groups, and N labelled negative pairs.

    The rows of the encoder's batch are the groups' first texts, then their second texts, then the
    first and then the second texts of the negative pairs, then the hard negatives: row `i` and row
    `i + B` are a positive pair.

    Attributes:
        first: one text per group `[B]`.
        second: another text of the same group `[B]`.
        single_texts: the texts of single-text groups, then one hard negative of each `[2 N]`.
        negatives: hard negatives of any of the groups `[H]`.
        own: for each group, its texts: none of them may serve as its negative `[B]`. Every other
            row is a negative to every group.
        negative_pairs: the rows of two texts that are labelled as different, int32 `[N + 2 H, 2]`.
        noise: what each row's dropout is drawn from, uint32 `[2 B + 2 N + H]`.
    """

    first: list[str]
    second: list[str]
    single_texts: list[str]
    negatives: list[str]
    own: list[tuple[str, ...]]
    negative_pairs: np.ndarray
    noise: np.ndarray

    @property
    def texts(self) -> list[str]:
        """Return all rows `[2 B + 2 N + H]`."""
        return self.first + self.second + self.single_texts + self.negatives
