"""Which texts make which batch: a pure function of (seed, epoch, step, rank, world size).

Nothing here has state, so that a resumed run draws what an undisturbed one would have drawn and N
workers together draw what one would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from siamese.errors import UserError
from siamese.groups import Group
from siamese.recipe import Sampling

# steps_per_epoch of the notebook divides the number of texts by this, whatever the batch.
NOTEBOOK_TEXTS_PER_STEP = 512


@dataclass(frozen=True)
class Rows:
    """The texts of one worker's share of a batch of B groups.

    The rows of the encoder's batch are the first texts, then the second texts, then the hard
    negatives: row `i` and row `i + B` are a positive pair.

    Attributes:
        first: one text per group `[B]`.
        second: another text of the same group `[B]`.
        negatives: hard negatives of any of the groups `[H]`; they are negatives to every row.
        own: for each group, its texts: none of them may serve as its negative `[B]`.
    """

    first: list[str]
    second: list[str]
    negatives: list[str]
    own: list[tuple[str, ...]]

    @property
    def texts(self) -> list[str]:
        """All rows `[2 B + H]`."""
        return self.first + self.second + self.negatives


def steps_per_epoch(sampling: Sampling, groups: int, texts: int) -> int:
    """The number of whole batches in an epoch.

    A pass over the groups drops the last, incomplete batch; the next epoch shuffles anew. The
    notebook divides the number of texts by 512 instead.

    Raises:
        UserError: there are fewer groups than a batch has.
    """
    if groups < sampling.batch_groups:
        smaller = (
            f"Lower it with --set sampling.batch_groups={groups} or give" if groups > 1 else "Give"
        )
        raise UserError(
            f"{groups:,} groups are fewer than one batch "
            f"(sampling.batch_groups={sampling.batch_groups:,}). {smaller} more groups."
        )
    if sampling.method == "notebook":
        return max(texts // NOTEBOOK_TEXTS_PER_STEP, 1)
    return groups // sampling.batch_groups


def batch_indices(sampling: Sampling, groups: int, seed: int, epoch: int, step: int) -> np.ndarray:
    """The groups of one global batch: distinct indices below `groups`, `[batch_groups]`."""
    size = sampling.batch_groups
    if sampling.method == "notebook":
        # The notebook shuffles the whole list before every step: each batch is a draw of its own.
        return np.random.default_rng((seed, epoch, step)).choice(groups, size, replace=False)
    return _epoch_order(groups, seed, epoch)[step * size : (step + 1) * size]


@lru_cache(maxsize=2)
def _epoch_order(groups: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(groups)


def sample_rows(
    groups: Sequence[Group],
    sampling: Sampling,
    hard_negatives: int,
    *,
    seed: int,
    epoch: int,
    step: int,
    rank: int = 0,
    world_size: int = 1,
) -> Rows:
    """Draw the rows of one worker's share of one global batch.

    Args:
        groups: all groups; only those of the share are read.
        sampling: the recipe's section.
        hard_negatives: how many of a group's labelled negatives to draw (fewer if it has fewer).
        seed: the recipe's seed.
        epoch: from 0.
        step: within the epoch, from 0.
        rank: of this worker.
        world_size: number of workers; divides `sampling.batch_groups`.
    """
    size = sampling.batch_groups
    share = slice(rank * size // world_size, (rank + 1) * size // world_size)
    indices = batch_indices(sampling, len(groups), seed, epoch, step)[share]
    # Drawn for the whole batch, so that a group's texts do not depend on who draws them.
    chances = np.random.default_rng((seed, epoch, step, 1)).random((size, 2 + hard_negatives))[
        share
    ]
    members = [groups[index] for index in indices]

    sizes = np.array([len(group.texts) for group in members])
    first = (chances[:, 0] * sizes).astype(np.int64)
    if sampling.method == "notebook":
        second = (chances[:, 1] * sizes).astype(np.int64)  # random.choices(texts, k=2)
        ones = [group.texts[i] for group, i in zip(members, first, strict=True)]
        twos = [group.texts[i] for group, i in zip(members, second, strict=True)]
        joined = [one + two for one, two in zip(ones, twos, strict=True)]
        turned = [two + one for one, two in zip(ones, twos, strict=True)]
        return Rows(joined, turned, [], list(zip(joined, turned, strict=True)))
    # One of the others: skip the first text's place.
    second = (chances[:, 1] * (sizes - 1)).astype(np.int64)
    second += second >= first
    return Rows(
        [group.texts[i] for group, i in zip(members, first, strict=True)],
        [group.texts[i] for group, i in zip(members, second, strict=True)],
        [
            text
            for group, row in zip(members, chances[:, 2:], strict=True)
            for text in _draw(group.negatives, row)
        ],
        [group.texts for group in members],
    )


def _draw(texts: tuple[str, ...], chances: np.ndarray) -> list[str]:
    """As many different texts as there are chances, or all if there are fewer."""
    left = list(texts)
    return [left.pop(int(chance * len(left))) for chance in chances[: len(left)]]
