"""Retrieval: how well does an encoder find a text's paraphrases among all texts?"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.config.metrics import METRICS
from siamese.config.recipe import Evaluation, Similarity
from siamese.data.group import Group
from siamese.data.joining import join_pairs
from siamese.data.pair import Pair
from siamese.encoder.similarity import similarity_matrix
from siamese.errors import UserError
from siamese.evaluation.evaluator import Encode

# Queries and texts that are compared at once: 16 MiB of similarities.
QUERIES_AT_ONCE = 256
TEXTS_AT_ONCE = 8192
RANKS = (1, 5, 10)


class Retrieval:
    """Lets each text of the development pairs that has a paraphrase search all the others.

    The positive pairs are joined into groups, as they are for training. The search takes memory for
    the embeddings and little more, and time that grows with the square of the number of texts:
    100,000 texts take a CPU core minutes.

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
        return evaluate_retrieval(groups, encode, self._kind).as_dict()


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

    A text that is as near as the first paraphrase, and is none itself, ranks before it.

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
    queries = sorted(groups_of)
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        ranks[start : start + len(some)] = _ranks(some, groups_of, embeddings, kind)
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
    kind: Similarity,
) -> np.ndarray:
    """Rank the nearest paraphrase of each query among all texts that are no paraphrases of it.

    The texts are compared in blocks. Those that hold paraphrases are compared twice, first to know
    how near the nearest one is: the same block gives the same bits, so that equal texts stay equal.

    Returns:
        int64 `[queries]`, from 1.
    """
    related = [np.unique(np.concatenate(groups_of[query])) for query in queries]  # themselves too
    rows = np.repeat(np.arange(len(queries)), [len(texts) for texts in related])
    columns = np.concatenate(related)
    itself = columns == np.repeat(queries, [len(texts) for texts in related])
    asked = embeddings[queries]

    def compare(start: int) -> tuple[np.ndarray, np.ndarray]:
        """Compare with one block; which of the related texts are in it."""
        inside = (columns >= start) & (columns < start + TEXTS_AT_ONCE)
        return similarity_matrix(asked, embeddings[start : start + TEXTS_AT_ONCE], kind), inside

    nearest = np.full(len(queries), -np.inf)
    for start in np.unique(columns // TEXTS_AT_ONCE).tolist():
        scores, inside = compare(start * TEXTS_AT_ONCE)
        inside &= ~itself
        found = scores[rows[inside], columns[inside] - start * TEXTS_AT_ONCE]
        np.maximum.at(nearest, rows[inside], found)
    ranks = np.ones(len(queries), np.int64)
    for start in range(0, len(embeddings), TEXTS_AT_ONCE):
        scores, inside = compare(start)
        nearer = scores >= nearest[:, None]
        nearer[rows[inside], columns[inside] - start] = False
        ranks += nearer.sum(axis=1)
    return ranks
