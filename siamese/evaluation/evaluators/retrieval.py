"""Retrieval: how well does an encoder find a text's paraphrases among all texts?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.config.metrics import METRICS
from siamese.config.recipe import Evaluation, Similarity
from siamese.data.group import Group
from siamese.data.joining import join_pairs
from siamese.data.pair import Pair
from siamese.encoder.similarity import (
    pairwise_similarity,
    rough_error,
    rough_similarity,
    squared_lengths,
)
from siamese.errors import UserError
from siamese.evaluation.evaluator import Encode

# Queries and texts that are compared at once: 8 MiB of similarities.
QUERIES_AT_ONCE = 256
TEXTS_AT_ONCE = 8192
# Pairs that are compared exactly at once: some MiB.
PAIRS_AT_ONCE = 2048
RANKS = (1, 5, 10)


class Retrieval:
    """Lets each text of the development pairs that has a paraphrase search all the others.

    The positive pairs are joined into groups, as they are for training. The search takes memory for
    the embeddings and little more, and time that grows with the square of the number of texts:
    100,000 texts take a CPU core a minute or two.

    Args:
        kind: of similarity; the recipe's `evaluation.similarity`.
    """

    name = "retrieval"
    metrics = tuple(METRICS[key] for key in (*(f"recall_at_{rank}" for rank in RANKS), "mrr"))

    def __init__(self, kind: Similarity) -> None:
        self._kind = kind

    def __call__(self, encode: Encode, pairs: Sequence[Pair]) -> dict[str, float]:
        """Compute the figures of `RetrievalMetrics`, by name.

        Raises:
            UserError: no positive pair has two different texts.
        """
        joined = join_pairs(pairs)
        groups = [Group("", texts, negatives) for texts, negatives in joined.groups]

        def advance(_: int) -> None:
            encode([])  # a sign of life

        return evaluate_retrieval(groups, encode, self._kind, advance).as_dict()


def build(evaluation: Evaluation) -> Retrieval:
    """Make the evaluator for a recipe's section `evaluation`."""
    return Retrieval(evaluation.similarity)


@dataclass(frozen=True)
class RetrievalMetrics:
    """How well paraphrases are found.

    Attributes:
        texts: distinct texts that are searched.
        queries: those that have a paraphrase; each searches all others.
        recall: at each of `RANKS`, the share of the queries that have a paraphrase among so many.
        mrr: the mean of 1 / (rank of the first paraphrase).
    """

    texts: int
    queries: int
    recall: dict[int, float]
    mrr: float

    def as_dict(self) -> dict[str, Any]:
        """List the figures by name."""
        shares = {f"recall_at_{rank}": share for rank, share in self.recall.items()}
        return {"texts": self.texts, "queries": self.queries, **shares, "mrr": self.mrr}


def evaluate_retrieval(
    groups: Iterable[Group],
    encode: Encode,
    kind: Similarity,
    advance: Callable[[int], None] = lambda n: None,
) -> RetrievalMetrics:
    """Let every text that has a paraphrase search all other texts, hard negatives included.

    A text that is as near as the first paraphrase, and is none itself, ranks before it. Embeddings
    are compared in float32, and exactly where that does not decide.

    Args:
        groups: of paraphrases; those of one text are only searched.
        encode: texts -> embeddings float32 `[texts, dim]`.
        kind: of similarity.
        advance: is called with the number of queries that have been answered since the last call.

    Raises:
        UserError: no group has two texts.
    """
    ids: dict[str, int] = {}
    groups_of: dict[int, list[np.ndarray]] = {}
    for group in groups:
        own = np.array([ids.setdefault(text, len(ids)) for text in group.texts])
        for text in group.negatives:
            ids.setdefault(text, len(ids))
        if len(own) > 1:
            for number in own.tolist():
                groups_of.setdefault(number, []).append(own)
    if not groups_of:
        raise UserError("no group has two different texts, so there is nothing to find.")
    embeddings = encode(list(ids))
    squares = squared_lengths(embeddings)
    queries = sorted(groups_of)
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        ranks[start : start + len(some)] = _ranks(some, groups_of, embeddings, squares, kind)
        advance(len(some))
    return RetrievalMetrics(
        texts=len(ids),
        queries=len(queries),
        recall={rank: float(np.mean(ranks <= rank)) for rank in RANKS},
        mrr=float(np.mean(1 / ranks)),
    )


def _ranks(
    queries: list[int],
    groups_of: dict[int, list[np.ndarray]],
    embeddings: np.ndarray,
    squares: np.ndarray,
    kind: Similarity,
) -> np.ndarray:
    """Rank the nearest paraphrase of each query among all texts that are no paraphrases of it.

    Args:
        queries: numbers of texts.
        groups_of: the groups of each query, itself included.
        embeddings: of all texts, float32 `[texts, dim]`.
        squares: their squared lengths `[texts]`.
        kind: of similarity.

    Returns:
        int64 `[queries]`, from 1.
    """
    related = [np.unique(np.concatenate(groups_of[query])) for query in queries]  # themselves too
    asked = np.array(queries)
    own, own_squares = embeddings[asked], squares[asked]
    rows = np.repeat(np.arange(len(queries)), [len(texts) for texts in related])
    columns = np.concatenate(related)
    nearest = np.full(len(queries), -np.inf)
    mates = columns != asked[rows]
    for some, scores in _compared(asked, rows[mates], columns[mates], embeddings, kind):
        np.maximum.at(nearest, some, scores)

    error = rough_error(own_squares, embeddings.shape[1], kind)[:, None].astype(np.float32)
    goal = nearest[:, None].astype(np.float32)
    ranks = np.ones(len(queries), np.int64)
    for start in range(0, len(embeddings), TEXTS_AT_ONCE):
        part = slice(start, start + TEXTS_AT_ONCE)
        lead = rough_similarity(own, embeddings[part], own_squares, squares[part], kind)
        lead -= goal
        inside = (columns >= start) & (columns < start + TEXTS_AT_ONCE)
        lead[rows[inside], columns[inside] - start] = -np.inf
        nearer = lead > error
        ranks += np.count_nonzero(nearer, axis=1)
        undecided = np.nonzero(~(nearer | (lead < -error)))  # NaN among them
        for some, scores in _compared(asked, undecided[0], undecided[1] + start, embeddings, kind):
            ranks += np.bincount(some[scores >= nearest[some]], minlength=len(queries))
    return ranks


def _compared(
    asked: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    embeddings: np.ndarray,
    kind: Similarity,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compare queries with texts pair by pair, exactly, so many at once.

    Yields:
        A part of `rows`, and the similarities of these queries `asked[rows]` and texts `columns`.
    """
    for start in range(0, len(rows), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        one, other = embeddings[asked[rows[part]]], embeddings[columns[part]]
        yield rows[part], pairwise_similarity(one, other, kind)
