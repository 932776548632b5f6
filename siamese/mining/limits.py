"""How near a text may be to a group and still be taken for a negative."""

from collections.abc import Sequence

import numpy as np

from siamese.config.recipe import Similarity
from siamese.data.group import Group
from siamese.encoder.nearest import similarities_of
from siamese.mining.pool import Pool


def limits(
    groups: Sequence[Group], pool: Pool, embeddings: np.ndarray, kind: Similarity, margin: float
) -> np.ndarray:
    """Compute the similarity that a negative of each group must be below.

    It is `margin` times the mean similarity of the group's positive pairs: its labelled ones, or
    else each of its texts with the next one.

    Args:
        groups: of two texts or more each.
        pool: of their texts.
        embeddings: of the texts of the pool, by their numbers.
        kind: of similarity.
        margin: 1 or less; where similarities are negative, a limit is as far below them.

    Returns:
        float64 `[groups]`.
    """
    pairs = [_positive_pairs(group) for group in groups]
    sizes = np.array([len(own) for own in pairs])
    ones, others = (pool.numbers(pair[side] for own in pairs for pair in own) for side in (0, 1))
    scores = similarities_of(embeddings, ones, embeddings, others, kind)
    sums = np.bincount(np.repeat(np.arange(len(groups)), sizes), scores, len(groups))
    means = sums / sizes
    return means - (1 - margin) * np.abs(means)


def _positive_pairs(group: Group) -> list[tuple[str, str]]:
    own = set(group.texts)
    labelled = [
        (pair.text1, pair.text2)
        for pair in group.pairs
        if pair.label and pair.text1 in own and pair.text2 in own
    ]
    if labelled:
        return labelled
    following = zip(group.texts, (*group.texts[1:], group.texts[0]), strict=True)
    return list(following)[: 1 if len(own) == 2 else None]
