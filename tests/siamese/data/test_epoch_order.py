"""The order of an epoch: every group once, any two may meet, few row groups a worker."""

from unittest.mock import patch

import numpy as np
from draws import cut
from hypothesis import given
from hypothesis import strategies as st

from siamese.config.recipe import Sampling
from siamese.data.epoch_order import batch_indices

seeds = st.integers(0, 2**32 - 1)


@given(st.integers(4, 60), st.integers(2, 5), st.integers(2, 40), seeds, st.data())
def test_an_epoch_takes_each_group_once_at_most(groups, size, window, seed, data) -> None:
    """Whatever the row groups and the window, and only the last, incomplete batch is left out."""
    sampling = Sampling(batch_groups=min(size, groups))
    row_groups = cut(groups, data)
    steps = groups // sampling.batch_groups
    with patch("siamese.data.epoch_order.WINDOW_GROUPS", window):
        drawn = np.concatenate(
            [
                batch_indices(sampling.batch_groups, row_groups, seed, epoch=2, step=s)
                for s in range(steps)
            ]
        )
    assert len(set(drawn.tolist())) == len(drawn) == steps * sampling.batch_groups
    assert drawn.min() >= 0 and drawn.max() < groups


def test_every_two_groups_meet_in_a_batch_about_equally_often() -> None:
    """Stretches and row groups must not keep groups apart for good."""
    sampling = Sampling(batch_groups=4)
    together = np.zeros((12, 12))
    for epoch in range(3000):
        for step in range(3):
            batch = batch_indices(sampling.batch_groups, (5, 4, 3), 1, epoch, step)
            together[np.ix_(batch, batch)] += 1
    apart = together[~np.eye(12, dtype=bool)]
    # 3 batches of 4: two given groups meet with probability 3/11 (818 of 3000, deviation 24) on
    # average; those of one row group, which often share a stretch, less often than others.
    assert apart.mean() == 3000 * 3 / 11
    assert apart.min() > 150 and apart.max() < 1100


def test_a_worker_reads_its_part_of_the_row_groups_only() -> None:
    """In all, each row group is read by one worker, or by two where their parts meet."""
    sampling, row_groups = Sampling(batch_groups=64), (100,) * 40
    ends = np.cumsum(row_groups)
    read: list[set[int]] = []
    for rank in range(4):
        share = slice(rank * 16, (rank + 1) * 16)
        indices = [
            batch_indices(sampling.batch_groups, row_groups, 1, 0, step, share)
            for step in range(62)
        ]
        read.append(set(np.searchsorted(ends, np.concatenate(indices), side="right").tolist()))
    assert sum(map(len, read)) <= 40 + 3
    assert all(len(groups) <= 11 for groups in read)
