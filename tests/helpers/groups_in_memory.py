"""What `sampling.Sizes` asks of a data set, for a list of groups."""

from collections.abc import Sequence

import numpy as np

from siamese.data.group import Group


class SizesOfList:
    """The sizes of groups in row groups of so many each; in one if they are not given."""

    def __init__(self, groups: Sequence[Group], row_groups: Sequence[int] | None = None) -> None:
        sizes = np.array([len(group.texts) - 1 for group in groups])
        self.parts = np.split(sizes, np.cumsum(row_groups or [len(groups)])[:-1])

    def pairs(self) -> tuple[int, ...]:
        return tuple(int(part.sum()) for part in self.parts)

    def pair_ends(self, number: int) -> np.ndarray:
        return np.cumsum(self.parts[number])
