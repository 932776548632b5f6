"""The order in which an epoch takes groups: shuffled passes over row groups.

A data set is read a row group at a time, so a batch must not need groups of all row groups. Nothing
here has state: an order is a pure function of seed and epoch.
"""

from functools import lru_cache

import numpy as np

# A batch is drawn from a window of about so many groups: one that fits in memory, whatever the size
# of the data.
WINDOW_GROUPS = 131_072


def batch_indices(
    size: int,
    row_groups: tuple[int, ...],
    seed: int,
    epoch: int,
    step: int,
    share: slice = slice(None),
) -> np.ndarray:
    """Return which items are in one share of a global batch: distinct indices.

    The items are groups, or anything else that row groups have a number of (`by_size` counts the
    pairs that join a group's texts).

    An epoch's order is a shuffle of the row groups and of the items within each. It is cut into
    windows of whole batches, and a window into as many stretches as a batch has positions: position
    `i` takes the next item of stretch `i` at every step, beginning anywhere in it. So a batch is a
    sample of its whole window, while the positions of one worker read a part of the window's row
    groups only. Which items make a batch does not depend on the number of workers.

    Args:
        size: items in the global batch.
        row_groups: the number of items in each row group of the data set, in order.
        seed: the recipe's seed.
        epoch: from 0.
        step: within the epoch, from 0.
        share: the positions in the global batch.

    Returns:
        int64 `[positions in the share]`.
    """
    order, ends, starts = _row_group_order(row_groups, seed, epoch)
    steps = int(ends[-1]) // size
    longest = max(WINDOW_GROUPS // size, 1)
    window = step // longest * longest
    stretch = min(longest, steps - window)
    # Without the shifts, items that lie near each other in the data would never meet.
    shifts = np.random.default_rng((seed, epoch, window, 4)).integers(stretch, size=size)[share]
    in_order = window * size + np.arange(size)[share] * stretch
    in_order += (step - window + shifts) % stretch
    number = np.searchsorted(ends, in_order, side="right")
    indices = np.empty(len(in_order), np.int64)
    for there in np.unique(number):
        row_group = int(order[there])
        shuffled = _order_within(row_groups[row_group], seed, epoch, row_group)
        here = number == there
        begin = int(ends[there]) - row_groups[row_group]
        indices[here] = starts[row_group] + shuffled[in_order[here] - begin]
    return indices


@lru_cache(maxsize=4)
def _row_group_order(
    row_groups: tuple[int, ...], seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row groups' order, where each ends in it, and where each begins in the data."""
    sizes = np.array(row_groups, np.int64)
    order = np.random.default_rng((seed, epoch)).permutation(len(sizes))
    return order, np.cumsum(sizes[order]), np.cumsum(sizes) - sizes


@lru_cache(maxsize=128)
def _order_within(items: int, seed: int, epoch: int, row_group: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch, row_group, 3)).permutation(items)


@lru_cache(maxsize=4)
def split_row_groups(
    row_groups: tuple[int, ...], first: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split row groups at an item, such as the first single-text group.

    Args:
        row_groups: the number of items in each.
        first: the index of that item; its row group may be split in two.

    Returns:
        The sizes of the row groups before it and of those from it on, without empty ones.
    """
    ends = np.cumsum(row_groups)
    before = np.diff(np.minimum(ends, first), prepend=0)
    after = np.diff(np.maximum(ends, first), prepend=first)
    return tuple(before[before > 0].tolist()), tuple(after[after > 0].tolist())
