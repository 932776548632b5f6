"""All pairs of many texts whose similarity is above a threshold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from siamese.config.recipe import Similarity
from siamese.search.cells import Cells
from siamese.search.comparing import prepared
from siamese.search.store import Pairs, Store, exactly

# Texts that are compared at once with all before them.
BLOCK = 16384


def near_pairs(
    embeddings: np.ndarray,
    kind: Similarity,
    threshold: float,
    cells: Cells,
    most: int,
    path: Path | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[Pairs, bool]:
    """Find the pairs of texts that are near each other.

    Args:
        embeddings: of all texts, float32 `[n, dim]`; may be mapped into memory.
        kind: of similarity.
        threshold: what the similarity of near texts is above.
        cells: of the embeddings.
        most: if there are more, those of the highest similarity are found.
        path: of a file for the embeddings; None: they are held in memory.
        advance: is called with the number of texts that are done.

    Returns:
        The pairs, the most similar first, then by the numbers of their texts, of which the lower
        one comes first; and whether there were more.
    """
    count, dim = embeddings.shape
    store = Store(cells, dim, kind, path)
    best = _Best(most, threshold)
    for start in range(0, count, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, count))
        own = embeddings[numbers]
        block = prepared(own, kind)
        store.add(numbers, block)
        near = store.near(block, cells.nearest(own), lambda: best.threshold, only_best=False)
        for rows, others in near:
            ones = numbers[rows]
            earlier = others < ones
            ones, others = ones[earlier], others[earlier]
            best.add(exactly(others, ones, embeddings, kind, threshold))
        advance(len(numbers))
    return best.pairs(), best.is_cut


class _Best:
    """Keeps the most similar of pairs that come a few at a time, in whatever order."""

    def __init__(self, most: int, threshold: float) -> None:
        self.threshold = threshold
        self.is_cut = False
        self._most = most
        self._parts: list[Pairs] = []
        self._count = 0

    def add(self, pairs: Pairs) -> None:
        self._parts.append(pairs)
        self._count += len(pairs.ones)
        if self._count > 2 * self._most + BLOCK:
            self._parts = [self.pairs()]
            self._count = len(self._parts[0].ones)

    def pairs(self) -> Pairs:
        """Return the best of those so far, in order."""
        empty = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        ones, others, similarities = map(np.concatenate, zip(empty, *self._parts, strict=True))
        order = np.lexsort((others, ones, -similarities))
        if len(order) > self._most:
            order = order[: self._most]
            self.is_cut = True
            # Others as similar as the last one may still come, with lower numbers.
            self.threshold = max(self.threshold, np.nextafter(similarities[order[-1]], -np.inf))
        return Pairs(ones[order], others[order], similarities[order])
