"""What callers may ask an index for."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from siamese.data.group import shorten
from siamese.errors import UserError

# Hits that are returned where nobody says how many.
DEFAULT_K = 5


def checked_k(k: Any, size: int) -> int:
    """Return how many texts to find, of an index of some size.

    Raises:
        UserError: it is no whole number, below 1 or above the size.
    """
    if k is None:
        return min(DEFAULT_K, size)
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise UserError(f"k must be a whole number, found {k!r}.")
    if not 1 <= k <= size:
        raise UserError(f"k must be from 1 to {size:,}, the index's size; found {k:,}.")
    return int(k)


def checked_threshold(value: Any, lowest: float = -math.inf) -> float:
    """Return a threshold.

    Raises:
        UserError: it is no number, below the lowest or infinite.
    """
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not lowest <= value < math.inf:
        raise UserError(f"the threshold must be a number, found {value!r}.")
    return float(value)


def checked_queries(queries: Any) -> list[str]:
    """Return the questions of a list.

    Raises:
        UserError: it is no list, or one of them is empty or no string.
    """
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        raise UserError(f"expected a list of questions, found {shorten(queries)}.")
    checked = list(queries)
    for number, query in enumerate(checked, start=1):
        which = f"question {number}" if len(checked) > 1 else "the question"
        if not isinstance(query, str):
            raise UserError(f"{which} must be a string, found {shorten(query)}.")
        if not query.strip():
            raise UserError(f"{which} is empty. Ask something.")
    return checked


def checked_ids(ids: Any) -> list[str]:
    """Return the ids of a list.

    Raises:
        UserError: it is no list, or one of them is no string.
    """
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise UserError(f"expected a list of ids, found {shorten(ids)}.")
    checked = list(ids)
    for each in checked:
        if not isinstance(each, str):
            raise UserError(f"an id must be a string, found {shorten(each)}.")
    return checked
