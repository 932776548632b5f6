"""Near duplicates, near pairs and groups, restated by brute force."""

from collections.abc import Sequence

import numpy as np

from siamese.encoder.similarity import similarity_matrix


def drawn_embeddings(count: int, dim: int = 12, clusters: int = 40, seed: int = 1) -> np.ndarray:
    """Embeddings around some centres; some are copies, one is zeros, their lengths differ."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dim))
    own = centres[rng.integers(clusters, size=count)] + 0.35 * rng.normal(size=(count, dim))
    own *= rng.uniform(0.2, 5, (count, 1))
    copies = rng.integers(count, size=count // 10)
    own[rng.integers(count, size=len(copies))] = own[copies]
    own[count // 3] = 0
    return own.astype(np.float32)


def duplicates_by_hand(
    embeddings: np.ndarray, kind: str, threshold: float, older: int = 0
) -> dict[int, tuple[int, float]]:
    """Of each that goes: the most similar one of those that stay before it, and the similarity."""
    similarities = similarity_matrix(embeddings, embeddings, kind)
    stay: list[int] = []
    gone = {}
    for number in range(len(embeddings)):
        best = max(stay, key=lambda other: (similarities[number, other], -other), default=None)
        if number < older or best is None or not similarities[number, best] > threshold:
            stay.append(number)
        else:
            gone[number] = best, float(similarities[number, best])
    return gone


def pairs_by_hand(
    embeddings: np.ndarray, kind: str, threshold: float
) -> list[tuple[float, int, int]]:
    """All pairs above a threshold, as (similarity, number, number), the most similar first."""
    similarities = similarity_matrix(embeddings, embeddings, kind)
    pairs = [
        (float(similarities[j, i]), i, j)
        for j in range(len(embeddings))
        for i in range(j)
        if similarities[j, i] > threshold
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))


def groups_by_hand(count: int, pairs: Sequence[tuple[float, int, int]]) -> list[list[int]]:
    """Groups around the text that has the most near ones left, again and again."""
    near: dict[int, dict[int, float]] = {number: {} for number in range(count)}
    for similarity, one, other in pairs:
        near[one][other] = near[other][one] = similarity
    groups = []
    while any(near.values()):
        centre = max(near, key=lambda number: (len(near[number]), -number))
        others = sorted(near[centre], key=lambda other: (-near[centre][other], other))
        groups.append([centre, *others])
        for number in groups[-1]:
            for other in near.pop(number):
                near.get(other, {}).pop(number, None)
    return groups
