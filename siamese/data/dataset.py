"""What a run trains on, whatever it was read from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from siamese.data.group import Group


class Sizes(Protocol):
    """How many texts the groups of a data set have, a row group at a time.

    A group of n texts counts n - 1: so many pairs are enough to join them, and so a group of one
    text counts nothing.
    """

    def pairs(self) -> tuple[int, ...]:
        """Return the sum over the groups of each row group."""

    def pair_ends(self, number: int) -> np.ndarray:
        """Return the running sum over the groups of one row group, int64 `[groups]`."""


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more, then the single-text groups: of one text and
            its negatives.
        single_text_groups: the number of the latter.
        row_groups: the number of groups in each part of the data that is read at once, in order.
        sizes: of the groups.
        characters: how often each character occurs in the texts that were read.
        negatives: the number of hard negatives of all groups.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
    """

    groups: Sequence[Group]
    single_text_groups: int
    row_groups: tuple[int, ...]
    sizes: Sizes
    characters: Mapping[str, int]
    negatives: int
    texts_read: int
    hash: str

    @property
    def multi_text_groups(self) -> int:
        """Return the number of groups of two texts or more, which are the first ones."""
        return len(self.groups) - self.single_text_groups

    @classmethod
    def of_groups(
        cls, groups: Sequence[Group], row_groups: tuple[int, ...] | None = None
    ) -> "TrainingData":
        """Describe groups that are in memory.

        Args:
            groups: single-text groups last.
            row_groups: into how many groups each they are divided; None: all are read at once.
        """
        row_groups = row_groups or (len(groups),)
        return cls(
            groups=groups,
            single_text_groups=sum(len(group.texts) == 1 for group in groups),
            row_groups=row_groups,
            sizes=_SizesInMemory(groups, row_groups),
            characters=Counter(chain.from_iterable(text for g in groups for text in g.texts)),
            negatives=sum(len(group.negatives) for group in groups),
            texts_read=sum(len(group.texts) for group in groups),
            hash="in memory",
        )


class _SizesInMemory:
    """`Sizes` of groups in memory."""

    def __init__(self, groups: Sequence[Group], row_groups: tuple[int, ...]) -> None:
        sizes = np.array([len(group.texts) - 1 for group in groups], np.int64)
        self._of_row_groups = np.split(sizes, np.cumsum(row_groups)[:-1])

    def pairs(self) -> tuple[int, ...]:
        return tuple(int(sizes.sum()) for sizes in self._of_row_groups)

    def pair_ends(self, number: int) -> np.ndarray:
        return np.cumsum(self._of_row_groups[number])
