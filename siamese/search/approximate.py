"""The nearest of very many embeddings: nearly always those, by a graph of neighbours (usearch).

The graph finds candidates, by their directions in a byte for each number; these are then compared
exactly, so that the similarities are those of the encoder. Measured: `tests/benchmarks/search.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.nearest import Found, best_of, similarities_of
from siamese.encoder.threads import cores
from siamese.errors import UserError
from siamese.progress import progress

# Texts of a segment up to which all are compared; a graph of fewer would hardly be faster.
EXACT_UP_TO = 100_000
# Neighbours of a text in the graph, and how widely it is searched to build it and to find: more
# finds more, and takes longer.
NEIGHBOURS, BUILD_WIDTH, SEARCH_WIDTH = 24, 128, 256
# Candidates that are compared exactly for each that is wanted; and the most, beyond which it is
# better to compare all texts.
CANDIDATES, MOST_CANDIDATES = 2, 2048
# Texts that are added to a graph at a time.
ADDED_AT_ONCE = 16384


def needs_graph(rows: int, kind: Similarity) -> bool:
    """Say whether so many texts are searched by a graph; only directions can be, for the cosine."""
    return rows > EXACT_UP_TO and kind == "cosine"


def require_usearch() -> Any:
    """Import the module `usearch.index`.

    Raises:
        UserError: it is not installed.
    """
    try:
        import usearch.index
    except ImportError:
        raise UserError(
            f"an index of more than {EXACT_UP_TO:,} texts needs the package usearch: pip install "
            "'siamese-ray[search]'"
        ) from None
    return usearch.index


def _empty(dim: int) -> Any:
    return require_usearch().Index(
        ndim=dim,
        metric="cos",
        dtype="i8",
        connectivity=NEIGHBOURS,
        expansion_add=BUILD_WIDTH,
        expansion_search=SEARCH_WIDTH,
        enable_key_lookups=False,
    )


def build_graph(embeddings: np.ndarray, path: Path, show_progress_bar: bool) -> None:
    """Build the graph of embeddings `[n, dim]`, and write it to a file.

    Raises:
        UserError: usearch is not installed.
    """
    graph = _empty(embeddings.shape[1])
    with progress(
        "building the graph", len(embeddings), "texts", show=show_progress_bar
    ) as advance:
        for start in range(0, len(embeddings), ADDED_AT_ONCE):
            rows = np.arange(start, min(start + ADDED_AT_ONCE, len(embeddings)))
            graph.add(rows, _directions(embeddings[rows[0] : rows[-1] + 1]), threads=cores())
            advance(len(rows))
    graph.save(str(path))


def _directions(embeddings: np.ndarray) -> np.ndarray:
    """Scale embeddings to unit length: bytes are made of numbers from -1 to 1."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(lengths > 0, lengths, 1)


class Graph:
    """A graph in a file, which is mapped into memory.

    Args:
        path: of the file.
        embeddings: that it was built of, float32 `[n, dim]`.
        kind: of similarity.

    Raises:
        UserError: usearch is not installed.
        ValueError: the file is no such graph.
    """

    def __init__(self, path: Path, embeddings: np.ndarray, kind: Similarity) -> None:
        self._embeddings = embeddings
        self._kind: Similarity = kind
        self._graph = _empty(embeddings.shape[1])
        try:
            self._graph.view(str(path))
        except RuntimeError as error:
            raise ValueError(f"its graph cannot be read: {error}") from None
        if (len(self._graph), self._graph.ndim) != embeddings.shape:
            raise ValueError("its graph is of other embeddings")

    def find(self, queries: np.ndarray, count: int, is_deleted: np.ndarray) -> list[Found] | None:
        """Find the nearest embeddings to each query, nearly always.

        Args:
            queries: embeddings, float32 `[queries, dim]`.
            count: how many to find for each, at most.
            is_deleted: marks embeddings that are not to be found, bool `[n]`.

        Returns:
            None: that would need too many candidates, so that it is better to compare all.
        """
        wanted = min(count, len(is_deleted) - int(is_deleted.sum()))
        fetched = min(CANDIDATES * wanted, len(is_deleted))
        while fetched <= MOST_CANDIDATES:
            keys = self._keys(queries, fetched)
            if keys is None:
                return None
            kept = ~is_deleted[keys]
            if (kept.sum(axis=1) >= wanted).all():
                return self._exact(queries, keys, kept, count)
            fetched *= 4
        return None

    def _keys(self, queries: np.ndarray, count: int) -> np.ndarray | None:
        """Find candidates `[queries, count]`; None: from some place not so many are reached."""
        matches = self._graph.search(_directions(queries), count, threads=cores())
        if len(queries) == 1:  # these are not in rows
            return matches.keys[None].astype(np.int64) if len(matches) == count else None
        return matches.keys.astype(np.int64) if (matches.counts == count).all() else None

    def _exact(
        self, queries: np.ndarray, keys: np.ndarray, kept: np.ndarray, count: int
    ) -> list[Found]:
        """Return the best of each query's candidates that are kept, compared exactly."""
        rows = np.repeat(np.arange(len(queries)), keys.shape[1])
        scores = similarities_of(queries, rows, self._embeddings, keys.ravel(), self._kind)
        return [
            best_of(numbers[of], similar[of], count)
            for numbers, similar, of in zip(keys, scores.reshape(keys.shape), kept, strict=True)
        ]
