"""Where the characters of a batch lie: by position, so that a step of an LSTM finds no padding."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Positions(NamedTuple):
    """Says where the characters of a batch are: T positions, N characters in B rows.

    The rows are in the order of falling length. First come the first characters of all, then the
    second ones of the rows that have one, and so on.

    Attributes:
        counts: rows that have a character at each position, falling, `[T]`.
        starts: where each position begins among all characters, `[T]`.
        lengths: of the rows, falling, `[B]`.
    """

    counts: list[int]
    starts: list[int]
    lengths: np.ndarray

    def slices(self) -> Iterable[tuple[int, slice]]:
        """Yield each position's number of rows and its slice of the characters."""
        for count, start in zip(self.counts, self.starts, strict=True):
            yield count, slice(start, start + count)


def by_position(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, Positions]:
    """Lay the characters of a batch out by position.

    Args:
        ids: int32 `[batch, time]`, padded with 0 at the end.

    Returns:
        The rows in the order of falling length, the ids of the characters `[N]`, and where they
        are.
    """
    lengths = np.count_nonzero(ids, axis=1)
    order = np.argsort(-lengths, kind="stable")
    lengths = lengths[order]
    columns = ids[order].T[: lengths.max(initial=0)]
    has_character = columns != 0
    counts = np.count_nonzero(has_character, axis=1)
    starts = np.cumsum(counts) - counts
    return order, columns[has_character], Positions(counts.tolist(), starts.tolist(), lengths)
