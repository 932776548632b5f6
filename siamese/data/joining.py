"""Join labelled pairs into groups."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.pair import NEGATIVE, POSITIVE, Pair
from siamese.errors import UserError


@dataclass(frozen=True)
class JoinedPairs:
    """What labelled pairs join into.

    Attributes:
        groups: `(texts, negatives)` of each group, in the order in which the texts first appear: of
            two different texts or more, or of one text that has negatives or labelled pairs.
        labelled: the labelled pairs of each group, each pair of all in one group only.
        single: texts that are in a positive pair with themselves, and in no other pair that counts.
        contradicting: negative pairs inside a group, which are no hard negatives.
        contradicting_labels: pairs that were labelled several times and differently.
        positive: pairs of `POSITIVE` or more.
        others: the other ones.
    """

    groups: list[tuple[tuple[str, ...], tuple[str, ...]]]
    labelled: list[tuple[Pair, ...]]
    single: int
    contradicting: int
    contradicting_labels: int
    positive: int
    others: int


def join_pairs(pairs: Iterable[Pair]) -> JoinedPairs:
    """Join positive pairs into groups: the connected components of the texts.

    The negative pairs of a group's texts become its hard negatives. Of a negative pair of two texts
    that no positive pair joins to others, one becomes a group of one text with the other as its
    negative: the one that is such a group already, or else the smaller. A negative pair inside one
    group contradicts the positive ones that join it. What is graded between `NEGATIVE` and
    `POSITIVE` neither joins nor parts texts.

    Every pair of two different texts is kept as it was labelled, once: with the group that its
    first text is in, or else its other one; of two texts that are in no group, one becomes a group,
    chosen as above. If it was labelled differently, it has the mean grade. Every text is held in
    memory, once.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids: dict[str, int] = {}
    numbers, given = array("q"), array("d")
    for pair in pairs:
        for text in (pair.text1, pair.text2):
            numbers.append(ids.setdefault(text, len(ids)))
        given.append(pair.grade)
    ends = np.frombuffer(numbers, np.int64).reshape(-1, 2)
    grades = np.frombuffer(given, np.float64)
    texts = list(ids)
    if not texts:
        return JoinedPairs([], [], 0, 0, 0, 0, 0)
    joined = ends[grades >= POSITIVE]
    graph = coo_array(
        (np.ones(len(joined), np.int8), (joined[:, 0], joined[:, 1])), shape=(len(texts),) * 2
    )
    _, component = connected_components(graph, directed=False)
    members: dict[int, list[str]] = {}
    for text, own in zip(texts, component.tolist(), strict=True):
        members.setdefault(own, []).append(text)

    negatives, chosen, contradicting = _hard_negatives(
        ends[grades <= NEGATIVE], component, texts, members
    )
    labelled, contradicting_labels = _labelled(ends, grades, component, texts, members, chosen)
    kept = [
        number
        for number, own in members.items()
        if len(own) > 1 or number in negatives or number in labelled
    ]
    alone = {own for own in component[joined[:, 0]].tolist() if len(members[own]) == 1}
    return JoinedPairs(
        groups=[
            (tuple(members[own]), tuple(dict.fromkeys(negatives.get(own, ())))) for own in kept
        ],
        labelled=[tuple(labelled.get(own, ())) for own in kept],
        single=len(alone - negatives.keys() - labelled.keys()),
        contradicting=contradicting,
        contradicting_labels=contradicting_labels,
        positive=len(joined),
        others=len(ends) - len(joined),
    )


def _hard_negatives(
    apart: np.ndarray, component: np.ndarray, texts: list[str], members: dict[int, list[str]]
) -> tuple[dict[int, list[str]], dict[int, int], int]:
    """Give the texts of negative pairs to each other's groups.

    Args:
        apart: the texts of each negative pair, int64 `[pairs, 2]`.
        component: the group of each text.
        texts: all texts.
        members: those of each group.

    Returns:
        The hard negatives of each group; which group was chosen for a pair of two groups of one
        text; and how many pairs are inside one group.
    """
    negatives: dict[int, list[str]] = {}
    chosen: dict[int, int] = {}
    contradicting = 0
    for (first, second), (one, other) in zip(
        apart.tolist(), component[apart].tolist(), strict=True
    ):
        if one == other:
            contradicting += 1
        elif len(members[one]) == len(members[other]) == 1:
            _, _, own, far = min(
                (one not in negatives, texts[first], one, second),
                (other not in negatives, texts[second], other, first),
            )
            negatives.setdefault(own, []).append(texts[far])
            chosen.setdefault(_key(one, other, len(texts)), own)
        else:
            if len(members[one]) > 1:
                negatives.setdefault(one, []).append(texts[second])
            if len(members[other]) > 1:
                negatives.setdefault(other, []).append(texts[first])
    return negatives, chosen, contradicting


def _key(one: int, other: int, texts: int) -> int:
    """Return a number of two groups, whichever is first: it takes less memory than a set."""
    return min(one, other) * texts + max(one, other)


def _labelled(
    ends: np.ndarray,
    grades: np.ndarray,
    component: np.ndarray,
    texts: list[str],
    members: dict[int, list[str]],
    chosen: dict[int, int],
) -> tuple[dict[int, list[Pair]], int]:
    """Give every labelled pair to one group.

    Args:
        ends: the texts of each pair, int64 `[pairs, 2]`.
        grades: float64 `[pairs]`.
        component: the group of each text.
        texts: all texts.
        members: those of each group.
        chosen: the group of pairs of two groups of one text, as far as it was chosen.

    Returns:
        The pairs of each group, and how many of all were labelled differently.
    """
    merged, means, contradicting = _merged(ends, grades)
    labelled: dict[int, list[Pair]] = {}
    groups_of_one = set(chosen.values())
    for (first, second), (one, other), grade in zip(
        merged.tolist(), component[merged].tolist(), means.tolist(), strict=True
    ):
        if len(members[one]) > 1:
            own = one
        elif len(members[other]) > 1:
            own = other
        elif (own := chosen.get(_key(one, other, len(texts)), -1)) < 0:
            *_, own = min(
                (one not in groups_of_one, texts[first], one),
                (other not in groups_of_one, texts[second], other),
            )
            groups_of_one.add(own)
        labelled.setdefault(own, []).append(Pair(texts[first], texts[second], grade))
    return labelled, contradicting


def _merged(ends: np.ndarray, grades: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return each pair of two different texts once, as first seen, with its mean grade.

    Returns:
        int64 `[distinct pairs, 2]`, float64 `[distinct pairs]`, and how many have several grades.
    """
    different = ends[:, 0] != ends[:, 1]
    ends, grades = ends[different], grades[different]
    low, high = ends.min(axis=1, initial=np.iinfo(np.int64).max), ends.max(axis=1, initial=0)
    keys = low * (int(high.max(initial=0)) + 1) + high
    _, firsts, of_pair = np.unique(keys, return_index=True, return_inverse=True)
    means = np.bincount(of_pair, grades) / np.bincount(of_pair)
    several = np.zeros(len(firsts), bool)
    several[of_pair[grades != grades[firsts][of_pair]]] = True
    # The mean of equal numbers is not always that number.
    means = np.where(several, means, grades[firsts])
    order = np.argsort(firsts)
    return ends[firsts[order]], means[order], int(several.sum())


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
    counts.pairs_read += joined.positive + joined.others
    if not joined.positive:
        raise UserError(
            f"{name}: no positive pair (label 1) among {joined.others:,}, so there is no group "
            "to train on. Check the label column."
        )
    counts.groups_read += joined.single
    counts.texts_read += joined.single
    counts.groups_of_one_text_dropped += joined.single
    counts.contradicting_negatives_dropped += joined.contradicting
    counts.contradicting_labels += joined.contradicting_labels
    for number, ((texts, negatives), labelled) in enumerate(
        zip(joined.groups, joined.labelled, strict=True)
    ):
        yield Group(str(number), texts, negatives, labelled)
