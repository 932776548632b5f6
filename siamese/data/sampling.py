"""Which texts make which batch: a pure function of (seed, epoch, step, rank, world size).

Nothing here has state, so that a resumed run draws what an undisturbed one would have drawn and N
workers together draw what one would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Protocol

import numpy as np

from siamese.config.recipe import Sampling
from siamese.data.group import Group
from siamese.errors import UserError

# Groups among which a batch is drawn: one that fits, whatever the size of the data.
WINDOW_GROUPS = 131_072
# steps_per_epoch of the notebook divides the number of texts by this, whatever the batch.
NOTEBOOK_TEXTS_PER_STEP = 512


@dataclass(frozen=True)
class Rows:
    """The texts of one worker's share of a batch: B groups, and N labelled negative pairs.

    The rows of the encoder's batch are the groups' first texts, then their second texts, then the
    one and then the other texts of the negative pairs, then the hard negatives: row `i` and row
    `i + B` are a positive pair.

    Attributes:
        first: one text per group `[B]`.
        second: another text of the same group `[B]`.
        lone: the texts of groups of one text, then one negative of each `[2 N]`.
        negatives: hard negatives of any of the groups `[H]`.
        own: for each group, its texts: none of them may serve as its negative `[B]`. Every other
            row is a negative to every group.
        negative_pairs: the rows of two texts that are labelled as different, int32 `[N + 2 H, 2]`.
        noise: what each row's dropout is drawn from, uint32 `[2 B + 2 N + H]`.
    """

    first: list[str]
    second: list[str]
    lone: list[str]
    negatives: list[str]
    own: list[tuple[str, ...]]
    negative_pairs: np.ndarray
    noise: np.ndarray

    @property
    def texts(self) -> list[str]:
        """All rows `[2 B + 2 N + H]`."""
        return self.first + self.second + self.lone + self.negatives


class Sizes(Protocol):
    """How many texts the groups of a data set have, a row group at a time.

    A group of n texts counts n - 1: so many pairs are enough to join them, and so a group of one
    text counts nothing.
    """

    def pairs(self) -> tuple[int, ...]:
        """The sum over the groups of each row group."""

    def pair_ends(self, number: int) -> np.ndarray:
        """The running sum over the groups of one row group, int64 `[groups]`."""


def steps_per_epoch(sampling: Sampling, groups: int, texts: int) -> int:
    """The number of whole batches in an epoch.

    A pass over the groups drops the last, incomplete batch; the next epoch shuffles anew. The
    notebook divides the number of texts by 512 instead.

    Args:
        sampling: the recipe's section.
        groups: that a pass takes; with `by_size`, as often as it takes them.
        texts: texts that were read.

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


def batch_indices(
    size: int,
    row_groups: tuple[int, ...],
    seed: int,
    epoch: int,
    step: int,
    share: slice = slice(None),
) -> np.ndarray:
    """The groups of one share of a global batch: distinct indices into the data set.

    Of anything else that row groups have so and so many of, as well.

    An epoch's order is a shuffle of the row groups and of the groups within each. It is cut into
    windows of whole batches, and a window into as many stretches as a batch has places: place `i`
    takes the next group of stretch `i` at every step, beginning anywhere in it. So a batch is a
    sample of its whole window, while the places of one worker read a part of the window's row
    groups only. Which groups make a batch does not depend on the number of workers.

    Args:
        size: groups in the global batch.
        row_groups: the number of groups in each row group of the data set, in order.
        seed: the recipe's seed.
        epoch: from 0.
        step: within the epoch, from 0.
        share: the places in the global batch.

    Returns:
        int64 `[places in the share]`.
    """
    order, ends, starts = _epoch_order(row_groups, seed, epoch)
    steps = int(ends[-1]) // size
    longest = max(WINDOW_GROUPS // size, 1)
    window = step // longest * longest
    stretch = min(longest, steps - window)
    # Without the shifts, groups that lie near each other in the data would never meet.
    shifts = np.random.default_rng((seed, epoch, window, 4)).integers(stretch, size=size)[share]
    positions = window * size + np.arange(size)[share] * stretch
    positions += (step - window + shifts) % stretch
    place = np.searchsorted(ends, positions, side="right")
    indices = np.empty(len(positions), np.int64)
    for there in np.unique(place):
        row_group = int(order[there])
        shuffled = _row_order(row_groups[row_group], seed, epoch, row_group)
        here = place == there
        begin = int(ends[there]) - row_groups[row_group]
        indices[here] = starts[row_group] + shuffled[positions[here] - begin]
    return indices


@lru_cache(maxsize=4)
def _epoch_order(
    row_groups: tuple[int, ...], seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of the row groups, where each ends in it, and where each begins in the data."""
    sizes = np.array(row_groups, np.int64)
    order = np.random.default_rng((seed, epoch)).permutation(len(sizes))
    return order, np.cumsum(sizes[order]), np.cumsum(sizes) - sizes


@lru_cache(maxsize=128)
def _row_order(groups: int, seed: int, epoch: int, row_group: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch, row_group, 3)).permutation(groups)


def sample_rows(
    groups: Sequence[Group],
    row_groups: tuple[int, ...],
    sampling: Sampling,
    hard_negatives: int,
    *,
    seed: int,
    epoch: int,
    step: int,
    lone: int = 0,
    sizes: Sizes | None = None,
    rank: int = 0,
    world_size: int = 1,
) -> Rows:
    """Draw the rows of one worker's share of one global batch.

    With hard negatives, as many groups of one text are drawn beside the batch's groups, in passes
    of their own, and with each of them one of its labelled negatives.

    Args:
        groups: all groups; only those of the share are read.
        row_groups: how many of them each row group of the data set holds, in order.
        sampling: the recipe's section.
        hard_negatives: how many of a group's labelled negatives to draw (fewer if it has fewer).
        seed: the recipe's seed.
        epoch: from 0.
        step: within the epoch, from 0.
        lone: the number of groups of one text, which are the last ones.
        sizes: of the groups, for `sampling.method: by_size`.
        rank: of this worker.
        world_size: number of workers; divides `sampling.batch_groups`.
    """
    size = sampling.batch_groups
    share = slice(rank * size // world_size, (rank + 1) * size // world_size)
    of_texts, of_lone = _split(row_groups, sum(row_groups) - lone)
    first_lone = sum(of_texts)
    if sampling.method == "notebook":
        # The notebook shuffles the whole list before every step: each batch is a draw of its own.
        drawn = np.random.default_rng((seed, epoch, step))
        indices = drawn.choice(first_lone, size, replace=False)[share]
    elif sampling.method == "by_size":
        if sizes is None:
            raise ValueError("sampling.method=by_size needs the groups' sizes")
        of_texts = sizes.pairs()
        pairs_drawn = batch_indices(size, of_texts, seed, epoch, step, share)
        indices = _groups_of_pairs(pairs_drawn, sizes, row_groups)
    else:
        indices = batch_indices(size, of_texts, seed, epoch, step, share)
    # Drawn for the whole batch, so that a group's texts do not depend on who draws them.
    texts = 2 + hard_negatives
    chances = np.random.default_rng((seed, epoch, step, 1)).random((size, texts))[share]
    noise = np.random.default_rng((seed, epoch, step, 2)).integers(
        2**32, size=(size, texts), dtype=np.uint32
    )[share]
    members = [groups[index] for index in indices]

    texts_of = np.array([len(group.texts) for group in members])
    first = (chances[:, 0] * texts_of).astype(np.int64)
    if sampling.method == "notebook":
        second = (chances[:, 1] * texts_of).astype(np.int64)  # random.choices(texts, k=2)
        ones = [group.texts[i] for group, i in zip(members, first, strict=True)]
        twos = [group.texts[i] for group, i in zip(members, second, strict=True)]
        joined = [one + two for one, two in zip(ones, twos, strict=True)]
        turned = [two + one for one, two in zip(ones, twos, strict=True)]
        own: list[tuple[str, ...]] = list(zip(joined, turned, strict=True))
        noise = noise[:, :2].ravel(order="F")
        return Rows(joined, turned, [], [], own, np.zeros((0, 2), np.int32), noise)
    second = (chances[:, 1] * (texts_of - 1)).astype(np.int64)
    second += second >= first  # one of the others: skip the first text's place
    negatives = [
        _draw(group.negatives, row) for group, row in zip(members, chances[:, 2:], strict=True)
    ]
    drawn_of = np.array([len(texts) for texts in negatives])

    pairs, pairs_noise = [], np.zeros((0, 2), np.uint32)
    if lone and hard_negatives:
        at = epoch * (sum(of_texts) // size) + step
        places = first_lone + _lone_indices(size, of_lone, seed, at, share)
        rng = np.random.default_rng((seed, epoch, step, 5))
        chances = rng.random((size, 1))[share]
        pairs_noise = rng.integers(2**32, size=(size, 2), dtype=np.uint32)[share]
        found = [groups[place] for place in places]
        pairs = [
            (group.texts[0], *_draw(group.negatives, row))
            for group, row in zip(found, chances, strict=True)
        ]
    return Rows(
        [group.texts[i] for group, i in zip(members, first, strict=True)],
        [group.texts[i] for group, i in zip(members, second, strict=True)],
        [text for side in zip(*pairs, strict=True) for text in side],
        list(chain.from_iterable(negatives)),
        [group.texts for group in members],
        _negative_pairs(drawn_of, len(pairs)),
        np.concatenate(
            [
                *noise[:, :2].T,
                *pairs_noise.T,
                noise[:, 2:][drawn_of[:, None] > np.arange(hard_negatives)],
            ]
        ),
    )


def _groups_of_pairs(pairs: np.ndarray, sizes: Sizes, row_groups: tuple[int, ...]) -> np.ndarray:
    """The group of each pair: the first n - 1 pairs are those of the first group, and so on."""
    ends, starts = np.cumsum(sizes.pairs()), np.cumsum(row_groups) - row_groups
    number = np.searchsorted(ends, pairs, side="right")
    indices = np.empty_like(pairs)
    for there in np.unique(number):
        here = number == there
        of_groups = sizes.pair_ends(int(there))
        within = pairs[here] - (ends[there] - of_groups[-1])
        indices[here] = starts[there] + np.searchsorted(of_groups, within, side="right")
    return indices


@lru_cache(maxsize=4)
def _split(row_groups: tuple[int, ...], first: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The row groups of the first so many groups, and of the others; one may be in both."""
    ends = np.cumsum(row_groups)
    sides = np.diff(np.minimum(ends, first), prepend=0), np.diff(np.maximum(ends, first))
    before = tuple(n for n in sides[0].tolist() if n)
    after = (max(int(ends[0]) - first, 0), *sides[1].tolist())
    return before, tuple(n for n in after if n)


def _lone_indices(
    size: int, row_groups: tuple[int, ...], seed: int, step: int, share: slice
) -> np.ndarray:
    """Groups of one text, by their place among these; of fewer than a batch some come again."""
    steps = sum(row_groups) // size
    if steps:
        return batch_indices(size, row_groups, seed, step // steps, step % steps, share)
    order = np.random.default_rng((seed, step, 6)).permutation(sum(row_groups))
    return np.resize(order, size)[share]


def _negative_pairs(drawn: np.ndarray, lone: int) -> np.ndarray:
    """As in `Rows`, from the number of hard negatives of each group `[B]`."""
    groups = len(drawn)
    own = np.repeat(np.arange(groups), drawn)
    negatives = 2 * (groups + lone) + np.arange(len(own))
    one = 2 * groups + np.arange(lone)
    sides = np.concatenate([one, own, own + groups]), np.concatenate([one + lone, *[negatives] * 2])
    return np.stack(sides, axis=1).astype(np.int32)


def _draw(texts: tuple[str, ...], chances: np.ndarray) -> list[str]:
    """As many different texts as there are chances, or all if there are fewer."""
    left = list(texts)
    return [left.pop(int(chance * len(left))) for chance in chances[: len(left)]]
