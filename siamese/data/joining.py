"""Join labelled pairs into groups."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.errors import UserError


@dataclass(frozen=True)
class JoinedPairs:
    """What labelled pairs join into.

    Attributes:
        groups: `(texts, negatives)` of each group, in the order in which the texts first appear: of
            two different texts or more, or of one text that has negatives.
        single: texts that are in a positive pair with themselves, and in no other pair that counts.
        contradicting: negative pairs inside a group, dropped.
        positive: pairs of label 1.
        negative: pairs of label 0.
    """

    groups: list[tuple[tuple[str, ...], tuple[str, ...]]]
    single: int
    contradicting: int
    positive: int
    negative: int


def join_pairs(pairs: Iterable[Pair]) -> JoinedPairs:
    """Join positive pairs into groups: the connected components of the texts.

    The negative pairs of a group's texts become its hard negatives. Of a negative pair of two texts
    that no positive pair joins to others, one becomes a group of one text with the other as its
    negative: the one that is such a group already, or else the smaller. A negative pair inside one
    group contradicts the positive ones that join it. Every text is held in memory, once.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids: dict[str, int] = {}
    numbers = array("q")
    for pair in pairs:
        for text in (pair.text1, pair.text2):
            numbers.append(ids.setdefault(text, len(ids)))
        numbers.append(pair.label)
    ends = np.frombuffer(numbers, np.int64).reshape(-1, 3)
    texts = list(ids)
    joined, apart = ends[ends[:, 2] == 1], ends[ends[:, 2] == 0]
    if not texts:
        return JoinedPairs([], 0, 0, 0, 0)
    graph = coo_array(
        (np.ones(len(joined), np.int8), (joined[:, 0], joined[:, 1])), shape=(len(texts),) * 2
    )
    _, component = connected_components(graph, directed=False)

    members: dict[int, list[str]] = {}
    for text, own in zip(texts, component.tolist(), strict=True):
        members.setdefault(own, []).append(text)
    negatives: dict[int, list[str]] = {}
    contradicting = 0
    for first, second, one, other in zip(
        *apart.T[:2].tolist(), *component[apart.T[:2]].tolist(), strict=True
    ):
        if one == other:
            contradicting += 1
        elif len(members[one]) == len(members[other]) == 1:
            _, _, own, far = min(
                (one not in negatives, texts[first], one, second),
                (other not in negatives, texts[second], other, first),
            )
            negatives.setdefault(own, []).append(texts[far])
        else:
            if len(members[one]) > 1:
                negatives.setdefault(one, []).append(texts[second])
            if len(members[other]) > 1:
                negatives.setdefault(other, []).append(texts[first])
    groups = [
        (tuple(own), tuple(dict.fromkeys(negatives.get(number, ()))))
        for number, own in members.items()
        if len(own) > 1 or number in negatives
    ]
    alone = {own for own in component[joined[:, 0]].tolist() if len(members[own]) == 1}
    single = len(alone - negatives.keys())
    return JoinedPairs(groups, single, contradicting, len(joined), len(apart))


def joined_groups(pairs: Iterable[Pair], name: str, counts: ReadingCounts) -> Iterator[Group]:
    """Join pairs and yield the groups, which get their numbers as ids.

    Args:
        pairs: all of them.
        name: what they are read from, for the message.
        counts: is added to.

    Raises:
        UserError: no pair is positive.
    """
    joined = join_pairs(pairs)
    counts.pairs_read += joined.positive + joined.negative
    if not joined.positive:
        raise UserError(
            f"{name}: no positive pair (label 1) among {joined.negative:,}, so there is no group "
            "to train on. Check the label column."
        )
    counts.groups_read += joined.single
    counts.texts_read += joined.single
    counts.groups_of_one_text_dropped += joined.single
    counts.contradicting_negatives_dropped += joined.contradicting
    for number, (texts, negatives) in enumerate(joined.groups):
        yield Group(str(number), texts, negatives)
