"""What speaks for or against a pair's label, without a look at that label.

The score of an encoder that never saw the pair is one number of it. The others need no encoder: how
far the two texts are the same characters, which characters differ, and what other pairs say of
them. Where each question is labelled with one right and one wrong answer, two right ones are
suspicious.
"""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import numpy as np

from siamese.audit.bridges import bridge_pairs
from siamese.audit.folds import components
from siamese.audit.labels import Labels

# Texts that must have a character, or two that are neighbours, for it to say something.
RAREST = 5


def evidence(labels: Labels, scores: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Gather the evidence on every pair.

    Args:
        labels: the pairs.
        scores: of encoders that did not see them `[pairs]`.
        folds: of the pairs; the scores of each fold are those of an encoder of its own `[pairs]`.

    Returns:
        float64 `[pairs, kinds]`.
    """
    return np.column_stack([_standardized(scores, folds), _characters(labels), _others(labels)])


def _standardized(scores: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Make scores of several encoders comparable: mean 0 and deviation 1 in each fold `[pairs]`."""
    result = np.empty(len(scores))
    for fold in np.unique(folds):
        own = scores[folds == fold]
        result[folds == fold] = (own - own.mean()) / (own.std() or 1.0)
    return result


def _characters(labels: Labels) -> np.ndarray:
    """Compare the characters of the two texts of each pair, float64 `[pairs, 6]`.

    Shares of characters and of neighbouring characters that they have in common; how many they do
    not; the two lengths; and how far these differ.
    """
    folded = [text.lower() for text in labels.texts]
    single = [Counter(text) for text in folded]
    double = [set(pairwise(text)) for text in folded]
    rows = []
    for first, second in labels.ends.tolist():
        lengths = len(folded[first]), len(folded[second])
        common = sum((single[first] & single[second]).values())
        neighbours = len(double[first] | double[second])
        rows.append(
            (
                common / max(sum(lengths) - common, 1),
                len(double[first] & double[second]) / max(neighbours, 1),
                sum(lengths) - 2 * common,
                *lengths,
                abs(lengths[0] - lengths[1]),
            )
        )
    return np.array(rows, np.float64)


def characters_that_differ(labels: Labels) -> Any:
    """Say of every character and pair of neighbours whether both texts have it, or only one.

    Returns:
        A sparse matrix of 0 and 1, float32 `[pairs, 2 * kinds]`: first those that both have.
    """
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(
        analyzer="char", ngram_range=(1, 2), min_df=RAREST, binary=True, dtype=np.float32
    )
    found = vectorizer.fit_transform(labels.texts).tocsr()
    first, second = found[labels.ends[:, 0]], found[labels.ends[:, 1]]
    both = first.multiply(second).tocsr()
    return hstack([both, first + second - 2 * both]).tocsr()


def _others(labels: Labels) -> np.ndarray:
    """Count what other pairs say of the two texts of each pair, float64 `[pairs, 7]`.

    How many others of each text are positive, and how many are not; how many texts are the same
    as both, and how many are the same as one and differ from the other; and whether the two are in
    one group without this pair.
    """
    positive = labels.are_positive
    count = len(labels.texts)
    same: dict[int, set[int]] = defaultdict(set)
    different: dict[int, set[int]] = defaultdict(set)
    for (first, second), is_positive in zip(labels.ends.tolist(), positive.tolist(), strict=True):
        kind = same if is_positive else different
        kind[first].add(second)
        kind[second].add(first)
    degrees = [
        np.bincount(labels.ends[chosen].ravel(), minlength=count)
        for chosen in (positive, ~positive)
    ]
    own = (positive, ~positive)
    columns = [
        degree[labels.ends[:, side]] - mine
        for side in (0, 1)
        for degree, mine in zip(degrees, own, strict=True)
    ]
    agree = [len(same[a] & same[b]) for a, b in labels.ends.tolist()]
    differ = [
        len(same[a] & different[b]) + len(different[a] & same[b]) for a, b in labels.ends.tolist()
    ]
    return np.column_stack([*columns, agree, differ, joined_by_others(labels)])


def joined_by_others(labels: Labels) -> np.ndarray:
    """Say of each pair whether its texts are in one group also without it, bool `[pairs]`."""
    group = components(len(labels.texts), labels.ends[labels.are_positive])
    alone = np.zeros(len(labels.pairs), bool)
    alone[list(bridge_pairs(labels))] = True
    joined = (group[labels.ends[:, 0]] == group[labels.ends[:, 1]]) & ~alone
    groups_of: dict[str, set[int]] = defaultdict(set)
    for number, given in enumerate(labels.given):
        for text in given.texts:
            groups_of[text].add(number)
    if groups_of:
        nothing: set[int] = set()
        joined |= [
            bool(groups_of.get(p.text1, nothing) & groups_of.get(p.text2, nothing))
            for p in labels.pairs
        ]
    return joined
