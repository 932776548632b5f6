"""A group of paraphrases."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from siamese.data.pair import Pair
from siamese.errors import UserError

ID_COLUMNS = ("group_id", "id")


@dataclass(frozen=True, slots=True)
class Group:
    """Texts that mean the same, and texts known to mean something else (hard negatives).

    A group of one text has at least one negative or one labelled pair.

    Attributes:
        id: its own among all groups.
        texts: that mean the same.
        negatives: texts that do not.
        pairs: what was labelled, with at least one of the texts in each; a pair of two groups is
            in one of them.
    """

    id: str
    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()


def checked_group(
    group_id: str, texts: Any, negatives: Any, where: Callable[[], str], pairs: Any = ()
) -> Group:
    """Make a group of values of any type.

    Args:
        group_id: the group's id.
        texts: should be a list of strings.
        negatives: should be a list of strings, too.
        where: says where the group stands; called for a message only, since counting lines may
            take long.
        pairs: should be a list of `{"text1": …, "text2": …, "grade": 0 to 1}`.

    Raises:
        UserError: the texts, the negatives or the pairs are anything else.
    """
    for name, value in (("texts", texts), ("negatives", negatives)):
        if not isinstance(value, list | tuple):
            raise UserError(
                f"{where()}, group {group_id!r}: {name} must be a list of strings, found "
                f"{shorten(value)}."
            )
        for item in value:
            if not isinstance(item, str):
                raise UserError(
                    f"{where()}, group {group_id!r}: {name} must be strings, found {shorten(item)}."
                )
    if not isinstance(pairs, list | tuple):
        raise UserError(f"{where()}, group {group_id!r}: pairs must be a list.")
    return Group(
        group_id,
        tuple(texts),
        tuple(negatives),
        tuple(_checked_pair(pair, lambda: f"{where()}, group {group_id!r}") for pair in pairs),
    )


def _checked_pair(value: Any, where: Callable[[], str]) -> Pair:
    if isinstance(value, Pair):
        value = {"text1": value.text1, "text2": value.text2, "grade": value.grade}
    if isinstance(value, dict):
        text1, text2, grade = (value.get(name) for name in ("text1", "text2", "grade"))
        are_texts = isinstance(text1, str) and isinstance(text2, str)
        if are_texts and isinstance(grade, int | float) and 0 <= grade <= 1:
            return Pair(str(text1), str(text2), grade)
    raise UserError(
        f"{where()}: a pair must have text1, text2 and a grade from 0 to 1, found {shorten(value)}."
    )


def checked_id(value: Any, where: Callable[[], str]) -> str:
    """Make a group's id of a value of any type.

    Args:
        value: should be a string or a number.
        where: as in `checked_group`.

    Raises:
        UserError: it is anything else.
    """
    if isinstance(value, str):
        return value
    is_no_number = isinstance(value, float) and not math.isfinite(value)
    if value is None or isinstance(value, list | dict | tuple | bool) or is_no_number:
        raise UserError(
            f"{where()}: a group's id must be a string or a number, found {shorten(value)}."
        )
    return str(value)


def find_group_columns(names: Sequence[str], where: str) -> tuple[int, int, int | None, int | None]:
    """Find the columns of ids, texts and, if there are any, negatives and pairs by their names.

    Args:
        names: of all columns.
        where: the table, for the message.

    Raises:
        UserError: there are no ids or no texts.
    """
    names = [name.replace("\ufeff", "") for name in names]
    found = [name for name in ID_COLUMNS if name in names]
    if not found or "texts" not in names:
        raise UserError(
            f"{where}: has the columns {', '.join(names)}. Expected are `id` (or `group_id`) and "
            "`texts` for groups, or two texts and `label` for pairs."
        )
    negatives, pairs = (
        names.index(name) if name in names else None for name in ("negatives", "pairs")
    )
    return names.index(found[0]), names.index("texts"), negatives, pairs


def shorten(value: Any) -> str:
    """Show a value in a message, as JSON of 60 characters at most."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "lists in lists in lists …"
    return text if len(text) <= 60 else text[:57] + "…"
