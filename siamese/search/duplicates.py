"""Which of many texts are near duplicates of one before them: greedily, in their order.

A text is kept unless its similarity to a text that was kept before it is above the threshold; it
then goes as a duplicate of the most similar one of these. So every text that goes has a text like
it that stays, and no two that stay are alike.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from siamese.config.recipe import Similarity
from siamese.search.cells import Cells, one_cell
from siamese.search.comparing import Prepared, prepared
from siamese.search.store import Pairs, Store, exactly

# Texts that are compared at once with all that were kept before them; and of these, so many with
# each other.
BLOCK, CHUNK = 16384, 1024


class Duplicates:
    """What each text is a duplicate of.

    Attributes:
        of: the number of the text that is kept, int64 `[texts]`; -1: it is kept itself.
        similarities: to that one, float64; 0 where it is kept itself.
    """

    def __init__(self, count: int) -> None:
        self.of = np.full(count, -1, np.int64)
        self.similarities = np.zeros(count)

    def take(self, pairs: Pairs) -> None:
        """Have texts be duplicates of others, where these are nearer than the ones so far."""
        # The nearest of each text comes first; of equally near ones the one that came first.
        order = np.lexsort((pairs.others, -pairs.similarities, pairs.ones))
        ones, others, similarities = (each[order] for each in pairs)
        _, first = np.unique(ones, return_index=True)
        ones, others, similarities = ones[first], others[first], similarities[first]
        so_far, best = self.of[ones], self.similarities[ones]
        same = (similarities == best) & (others < so_far)
        nearer = (so_far < 0) | (similarities > best) | same
        self.of[ones[nearer]] = others[nearer]
        self.similarities[ones[nearer]] = similarities[nearer]


def find_duplicates(
    embeddings: np.ndarray,
    kind: Similarity,
    threshold: float,
    cells: Cells,
    older: int = 0,
    path: Path | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Duplicates:
    """Find near duplicates.

    Args:
        embeddings: of all texts in their order, float32 `[n, dim]`; may be mapped into memory.
        kind: of similarity.
        threshold: of two near duplicates, the similarity is above it.
        cells: of the embeddings.
        older: so many at the beginning are kept, whatever they are like.
        path: of a file for what is kept; None: it is held in memory.
        advance: is called with the number of texts that are done.
    """
    count, dim = embeddings.shape
    search = _Search(embeddings, kind, threshold)
    kept = Store(cells, dim, kind, path)
    for start in range(0, older, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, older))
        kept.add(numbers, prepared(embeddings[numbers], kind))
    for start in range(older, count, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, count))
        own = embeddings[numbers]
        block = prepared(own, kind)
        for pairs in search.near(block, numbers, kept, cells.nearest(own)):
            search.found.take(pairs)
        stay = search.among(block, numbers)
        kept.add(numbers[stay], block[stay])
        advance(len(numbers))
    return search.found


class _Search:
    """Compares texts with those that were kept before them, and with each other."""

    def __init__(self, embeddings: np.ndarray, kind: Similarity, threshold: float) -> None:
        self._embeddings = embeddings
        self._kind: Similarity = kind
        self._threshold = threshold
        self.found = Duplicates(len(embeddings))

    def near(
        self,
        texts: Prepared,
        numbers: np.ndarray,
        store: Store,
        probes: np.ndarray,
        others: np.ndarray | None = None,
        only_best: bool = True,
    ) -> Iterator[Pairs]:
        """Yield the near pairs of texts with what a store holds.

        Args:
            texts: their embeddings.
            numbers: theirs.
            store: of other texts.
            probes: which of its cells each text is compared with.
            others: the numbers of its texts, by those that it has for them; None: the same.
            only_best: only what may be the nearest.
        """
        for rows, held in store.near(texts, probes, lambda: self._threshold, only_best):
            held = held if others is None else others[held]
            yield exactly(numbers[rows], held, self._embeddings, self._kind, self._threshold)

    def among(self, block: Prepared, numbers: np.ndarray) -> np.ndarray:
        """Compare texts that follow each other, and return the rows of those that stay."""
        dim = block.rows.shape[1]
        before = Store(one_cell(len(numbers), dim), dim, self._kind)
        of = self.found.of
        for start in range(0, len(numbers), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(numbers)))
            own, ours = numbers[rows], block[rows]
            cell = one_cell(len(rows), dim)
            probes = cell.nearest(ours.rows)
            for pairs in self.near(ours, own, before, probes, numbers):
                self.found.take(pairs)
            these = Store(cell, dim, self._kind)
            these.add(np.arange(len(rows)), ours)
            self._decide(list(self.near(ours, own, these, probes, own, only_best=False)))
            stay = rows[of[own] < 0]
            before.add(stay, block[stay])
        return np.flatnonzero(of[numbers] < 0)

    def _decide(self, parts: list[Pairs]) -> None:
        """Decide on texts one after the other: of their near ones, those before them may stay."""
        ones, others, similarities = map(np.concatenate, zip(*parts, strict=True))
        earlier = others < ones
        ones, others, similarities = ones[earlier], others[earlier], similarities[earlier]
        order = np.argsort(ones, kind="stable")
        first = np.flatnonzero(np.diff(ones[order], prepend=-1))
        for own in np.split(order, first[1:]) if len(order) else ():
            stays = own[self.found.of[others[own]] < 0]
            if len(stays):
                self.found.take(Pairs(ones[stays], others[stays], similarities[stays]))
