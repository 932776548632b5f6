"""A part of what was labelled, as pieces that a data set can be made of."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from siamese.audit.labels import Labels
from siamese.data.cleaning import ReadingCounts, cleaned
from siamese.data.group import Group
from siamese.data.joining import joined_groups
from siamese.data.pair import Pair
from siamese.data.splitting import GroupsInMemory, Piece


def pieces_of(labels: Labels, kept: np.ndarray, without: Collection[str], name: str) -> list[Piece]:
    """Return the given groups and some of the labelled pairs, which are joined anew.

    A group that is held together by a pair that is left out so falls into its parts.

    Args:
        labels: all of them.
        kept: which of the pairs, bool `[pairs]`.
        without: texts that are taken out of the given groups.
        name: of the data, for messages.
    """
    own: dict[int, list[Pair]] = defaultdict(list)
    dropped: dict[int, set[str]] = defaultdict(set)
    joined: list[Pair] = []
    for pair, owner, is_kept in zip(labels.pairs, labels.owners, kept.tolist(), strict=True):
        if owner < 0:
            joined += [pair] * is_kept
        elif is_kept:
            own[owner].append(pair)
        else:
            dropped[owner] |= {pair.text1, pair.text2}
    given = []
    for number, group in enumerate(labels.given):
        texts = tuple(text for text in group.texts if text not in without)
        negatives = [t for t in group.negatives if t not in without and t not in dropped[number]]
        pairs = [p for p in own[number] if p.text1 in texts or p.text2 in texts]
        if texts:
            given.append(Group(group.id, texts, tuple(negatives), tuple(pairs)))
    pieces: list[Piece] = []
    if given:
        pieces.append(GroupsInMemory(name, given))
    if joined:
        pieces.append(_Pairs(name, joined, _new_prefix(given) if given else ""))
    return pieces


def _new_prefix(given: Sequence[Group]) -> str:
    """Return what the ids of joined groups begin with, and no id of the given ones does."""
    prefixes = ("pairs/" if n == 1 else f"pairs-{n}/" for n in count(1))
    return next(p for p in prefixes if not any(group.id.startswith(p) for group in given))


@dataclass(frozen=True)
class _Pairs:
    """A `splitting.Piece` of labelled pairs."""

    name: str
    pairs: Sequence[Pair]
    prefix: str
    size = 0
    note = ""

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        groups = (
            Group(self.prefix + group.id, group.texts, group.negatives, group.pairs)
            for group in joined_groups(self.pairs, self.name, counts)
        )
        return cleaned(groups, self.name, counts)
