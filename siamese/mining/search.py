"""Find the nearest of many texts below a limit: exactly, whatever the blocks it is done in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.nearest import best_of, may_be_best, similarities_of
from siamese.encoder.similarity import (
    rough_error,
    rough_similarity,
    squared_lengths,
)
from siamese.encoder.threads import in_threads

# Similarities that each thread holds at once, about: 32 MiB.
SIMILARITIES_AT_ONCE = 1 << 23
# Texts that are compared with all candidates at once, at most.
TEXTS_AT_ONCE = 512


@dataclass(frozen=True)
class Query:
    """A group that asks for the candidates nearest to any of its texts.

    Attributes:
        texts: numbers of its texts.
        excluded: returns the numbers of the candidates that it must not get.
        limit: the similarity to its nearest text that a candidate must be below.
    """

    texts: np.ndarray
    excluded: Callable[[], np.ndarray]
    limit: float


@dataclass(frozen=True)
class Answer:
    """What a group gets.

    Attributes:
        found: numbers of candidates, the nearest first; of equally near ones the lower number.
        similarities: of each to the group's nearest text, float64.
        refused: how many candidates were not below the limit.
    """

    found: np.ndarray
    similarities: np.ndarray
    refused: int


class Search:
    """Compares groups with candidates in float32, and exactly where that does not decide.

    Args:
        embeddings: of all texts, float32 `[texts, dim]`; the first ones are the candidates.
        candidates: how many these are.
        kind: of similarity.
        count: how many each group gets, at most.
        at_once: similarities that are held at once.
    """

    def __init__(
        self,
        embeddings: np.ndarray,
        candidates: int,
        kind: Similarity,
        count: int,
        at_once: int = SIMILARITIES_AT_ONCE,
    ) -> None:
        self._embeddings = embeddings
        self._squares = squared_lengths(embeddings)
        self._candidates = candidates
        self._kind: Similarity = kind
        self._count = count
        self._rows = min(max(at_once // candidates, 1), TEXTS_AT_ONCE)

    def answers(
        self, queries: Sequence[Query], advance: Callable[[int], None] = lambda n: None
    ) -> list[Answer]:
        """Answer all queries, on all cores.

        Args:
            queries: any number.
            advance: is called with the number of queries answered since the last call.
        """
        found: list[Answer] = []
        blocks = list(_blocks(queries, self._rows))
        for answers in in_threads(self._answers, blocks) if blocks else ():
            found += answers
            advance(len(answers))
        return found

    def _answers(self, queries: list[Query]) -> list[Answer]:
        rough, error = self._rough(queries)
        for row, query in enumerate(queries):
            rough[row, query.excluded()] = -np.inf
        limits = np.array([query.limit for query in queries])[:, None]
        refused = rough >= (limits + error).astype(np.float32)
        below = rough < (limits - error).astype(np.float32)
        counts = np.count_nonzero(refused, axis=1)
        undecided = ~(refused | below)  # NaN among them
        # The best of those that are surely below, and what may be as good.
        rough[~below] = -np.inf
        kept = undecided | may_be_best(rough, error, self._count)
        rows, columns = np.nonzero(kept)
        exact = self._exact(queries, rows, columns)
        answers = []
        for row, query in enumerate(queries):
            here = rows == row
            numbers, similarities = columns[here], exact[here]
            under = similarities < query.limit
            best = best_of(numbers[under], similarities[under], self._count)
            answers.append(Answer(*best, int(counts[row] + np.count_nonzero(~under))))
        return answers

    def _rough(self, queries: list[Query]) -> tuple[np.ndarray, np.ndarray]:
        """Compare groups with all candidates, roughly.

        Returns:
            float32 `[queries, candidates]`, of the nearest text of each group; and by how much they
            may be off, `[queries, 1]`.
        """
        first = slice(self._candidates)
        starts = np.cumsum([0] + [len(query.texts) for query in queries[:-1]])
        texts = np.concatenate([query.texts for query in queries])
        dim = self._embeddings.shape[1]
        error = np.maximum.reduceat(rough_error(self._squares[texts], dim, self._kind), starts)
        nearest = np.full((len(queries), self._candidates), -np.inf, np.float32)
        # A group of more texts than that is alone, and takes several turns.
        for start in range(0, len(texts), self._rows):
            part = texts[start : start + self._rows]
            scores = rough_similarity(
                self._embeddings[part],
                self._embeddings[first],
                self._squares[part],
                self._squares[first],
                self._kind,
            )
            # Row by row: several times faster than one `reduceat`.
            for row, (own, query) in enumerate(zip(starts.tolist(), queries, strict=True)):
                largest = scores[own : own + len(query.texts)].max(axis=0)
                np.maximum(nearest[row], largest, out=nearest[row])
        return nearest, error[:, None]

    def _exact(self, queries: list[Query], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Compare groups with some candidates exactly: float64 `[pairs]`, of the nearest text."""
        sizes = np.array([len(query.texts) for query in queries])[rows]
        texts = np.concatenate([queries[row].texts for row in rows] or [np.zeros(0, np.int64)])
        scores = similarities_of(
            self._embeddings, texts, self._embeddings, np.repeat(columns, sizes), self._kind
        )
        starts = np.cumsum(sizes) - sizes
        return np.maximum.reduceat(scores, starts) if len(rows) else scores


def _blocks(queries: Sequence[Query], rows: int) -> Iterator[list[Query]]:
    """Cut queries into blocks of so many texts together, at most, or of one query."""
    block: list[Query] = []
    texts = 0
    for query in queries:
        if block and texts + len(query.texts) > rows:
            yield block
            block, texts = [], 0
        block.append(query)
        texts += len(query.texts)
    if block:
        yield block
