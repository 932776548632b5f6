"""What was labelled in a data set, and the groups in it that no labels made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.data.shards import read_shards
from siamese.errors import UserError


@dataclass(frozen=True)
class Labels:
    """The labelled pairs of a data set.

    Attributes:
        pairs: each labelled pair once.
        given: groups that are more than their labelled pairs make of the texts; without the pairs.
        owners: the position in `given` of the group that a pair is kept with, or -1 `[pairs]`.
        hash: changes when the data set does.
    """

    pairs: Sequence[Pair]
    given: Sequence[Group]
    owners: Sequence[int]
    hash: str

    @cached_property
    def texts(self) -> list[str]:
        """List the texts of the pairs, each once."""
        return list(dict.fromkeys(t for pair in self.pairs for t in (pair.text1, pair.text2)))

    @cached_property
    def ends(self) -> np.ndarray:
        """Return the positions in `texts` of the two texts of each pair, int64 `[pairs, 2]`."""
        position = {text: number for number, text in enumerate(self.texts)}
        found = [(position[pair.text1], position[pair.text2]) for pair in self.pairs]
        return np.array(found, np.int64).reshape(-1, 2)

    @cached_property
    def grades(self) -> np.ndarray:
        """Return the grade of each pair, float64 `[pairs]`."""
        return np.array([pair.grade for pair in self.pairs], np.float64)

    @cached_property
    def are_positive(self) -> np.ndarray:
        """Say of each pair whether its texts were said to mean the same, bool `[pairs]`."""
        return np.array([pair.label == 1 for pair in self.pairs], bool)


def read_labels(data: str, verify: bool = True) -> Labels:
    """Read what was labelled in a data set.

    Args:
        data: a path or URI.
        verify: compare checksums, as in `read_shards`.

    Raises:
        UserError: it is no data set, or there is no labelled pair in it.
    """
    found, _ = read_shards(data, verify)
    pairs: list[Pair] = []
    given: list[Group] = []
    owners: list[int] = []
    for group in found.groups:
        is_given = not _is_joined(group)
        pairs += group.pairs
        owners += [len(given) if is_given else -1] * len(group.pairs)
        if is_given:
            given.append(Group(group.id, group.texts, group.negatives))
    if not pairs:
        raise UserError(
            f"{data}: holds no labelled pairs, so there is nothing to audit. Make it of labelled "
            "pairs (`siamese shard PAIRS… --output DIR`); one that an earlier release made of them "
            "did not keep them: shard them again."
        )
    return Labels(pairs, given, owners, found.hash)


def _is_joined(group: Group) -> bool:
    """Say whether the labelled pairs of a group are all that makes it one."""
    if not group.pairs:
        return False
    parent = {text: text for text in group.texts}

    def root(text: str) -> str:
        while parent[text] != text:
            parent[text] = text = parent[parent[text]]
        return text

    for pair in group.pairs:
        # A pair that was labelled 1 and then 0 joined the texts, and has the mean as its grade.
        if pair.grade > 0 and pair.text1 in parent and pair.text2 in parent:
            parent[root(pair.text1)] = root(pair.text2)
    return len({root(text) for text in group.texts}) == 1
