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

    def labelled_pairs(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return how many positive and how many other labelled pairs each row group has.

        A group of n texts without a positive pair counts n - 1: two of its texts make one.
        """

    def labelled_ends(self, number: int) -> np.ndarray:
        """Return the running sums of both over the groups of one row group, int64 `[2, groups]`."""


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more, then the single-text groups: of one text and
            its negatives; then groups of one text that has labelled pairs only.
        single_text_groups: the number of those with negatives.
        pair_only_groups: the number of those without.
        row_groups: the number of groups in each part of the data that is read at once, in order.
        sizes: of the groups.
        characters: how often each character occurs in the texts that were read.
        negatives: the number of hard negatives of all groups.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
        mined: whether hard negatives were mined with a model, which are not labelled.
    """

    groups: Sequence[Group]
    single_text_groups: int
    pair_only_groups: int
    row_groups: tuple[int, ...]
    sizes: Sizes
    characters: Mapping[str, int]
    negatives: int
    texts_read: int
    hash: str
    mined: bool = False

    @property
    def multi_text_groups(self) -> int:
        """Return the number of groups of two texts or more, which are the first ones."""
        return len(self.groups) - self.single_text_groups - self.pair_only_groups

    @classmethod
    def of_groups(
        cls, groups: Sequence[Group], row_groups: tuple[int, ...] | None = None
    ) -> "TrainingData":
        """Describe groups that are in memory.

        Args:
            groups: single-text groups last, of these those without negatives.
            row_groups: into how many groups each they are divided; None: all are read at once.
        """
        row_groups = row_groups or (len(groups),)
        return cls(
            groups=groups,
            single_text_groups=sum(len(g.texts) == 1 and bool(g.negatives) for g in groups),
            pair_only_groups=sum(len(g.texts) == 1 and not g.negatives for g in groups),
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
        ends = np.cumsum(row_groups)[:-1]
        self._of_row_groups = np.split(sizes, ends)
        labels = [[pair.label for pair in group.pairs] for group in groups]
        positive = np.array([sum(own) for own in labels], np.int64)
        others = np.array([len(own) for own in labels], np.int64) - positive
        labelled = np.stack([np.where(positive > 0, positive, sizes), others])
        self._labelled = np.split(labelled, ends, axis=1)

    def pairs(self) -> tuple[int, ...]:
        return tuple(int(sizes.sum()) for sizes in self._of_row_groups)

    def pair_ends(self, number: int) -> np.ndarray:
        return np.cumsum(self._of_row_groups[number])

    def labelled_pairs(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        positive, others = (
            tuple(int(each[kind].sum()) for each in self._labelled) for kind in (0, 1)
        )
        return positive, others

    def labelled_ends(self, number: int) -> np.ndarray:
        return np.cumsum(self._labelled[number], axis=1)
