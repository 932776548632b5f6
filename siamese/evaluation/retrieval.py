"""Groups of paraphrases -> how well an encoder finds a text's group mates among all texts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.data.group import Group
from siamese.encoder.similarity import Similarity, similarity_matrix
from siamese.errors import UserError

# Queries compared with all texts at a time.
QUERIES_AT_ONCE = 256
RANKS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """How well group mates are found.

    Attributes:
        texts: distinct texts that are searched.
        queries: those that have a group mate; each searches all others.
        recall: at each of `RANKS`, the share of the queries that have a mate among so many.
        mrr: the mean of 1 / (rank of the first mate).
    """

    texts: int
    queries: int
    recall: dict[int, float]
    mrr: float

    def as_dict(self) -> dict[str, Any]:
        """The figures by name."""
        shares = {f"recall_at_{rank}": share for rank, share in self.recall.items()}
        return {"texts": self.texts, "queries": self.queries, **shares, "mrr": self.mrr}


def evaluate_retrieval(
    groups: Iterable[Group],
    encode: Callable[[list[str]], np.ndarray],
    kind: Similarity,
    advance: Callable[[int], None] = lambda n: None,
) -> Retrieval:
    """Let every text that has a group mate search all other texts, hard negatives included.

    A text that is as near as the first mate, and is none itself, ranks before it.

    Args:
        groups: of paraphrases; of one text they are only searched.
        encode: texts -> embeddings `[texts, dim]`.
        kind: of similarity; see `siamese.evaluation.pair_metrics`.
        advance: is told of so many queries more.

    Raises:
        UserError: no group has two texts.
    """
    ids: dict[str, int] = {}
    mates: dict[int, set[int]] = {}
    for group in groups:
        own = [ids.setdefault(text, len(ids)) for text in group.texts]
        for text in group.negatives:
            ids.setdefault(text, len(ids))
        if len(own) > 1:
            for number in own:
                mates.setdefault(number, set()).update(own)
    if not mates:
        raise UserError("no group has two different texts, so there is nothing to find.")
    embeddings = encode(list(ids))
    queries = np.array(sorted(mates))
    ranks = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        scores = similarity_matrix(embeddings[some], embeddings, kind)
        for row, query in enumerate(some):
            ranks[start + row] = _rank(scores[row], int(query), sorted(mates[int(query)] - {query}))
        advance(len(some))
    return Retrieval(
        texts=len(ids),
        queries=len(queries),
        recall={rank: float(np.mean(ranks <= rank)) for rank in RANKS},
        mrr=float(np.mean(1 / ranks)),
    )


def _rank(scores: np.ndarray, query: int, mates: Sequence[int]) -> int:
    """The rank of the nearest mate among all texts but the query and the other mates."""
    nearer = scores >= scores[mates].max()
    nearer[[query, *mates]] = False
    return 1 + int(nearer.sum())
