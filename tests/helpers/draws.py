"""Groups to draw from, and draws."""

import numpy as np
from hypothesis import strategies as st

from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.rows import Position, Rows
from siamese.data.sampling import sample_rows


def make_groups(sizes: list[int]) -> list[Group]:
    return [
        Group(
            str(g),
            tuple(f"g{g}t{t}" for t in range(size)),
            tuple(f"g{g}n{n}" for n in range(g % 4)),
        )
        for g, size in enumerate(sizes)
    ]


def draw(groups, sampling, hard_negatives=0, row_groups=None, seed=1, epoch=0, **at: int) -> Rows:
    """The rows of a share of a batch; `at` is `step`, `rank` and `world_size`."""
    data = TrainingData.of_groups(groups, row_groups)
    return sample_rows(data, sampling, hard_negatives, Position(seed, epoch, **at))


def cut(total: int, data) -> tuple[int, ...]:
    """Row groups of any sizes that hold so many groups together."""
    ends = data.draw(st.lists(st.integers(1, total - 1), max_size=5, unique=True))
    return tuple(np.diff([0, *sorted(ends), total]).tolist())
