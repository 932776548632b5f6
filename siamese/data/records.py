"""Rows of tables that hold a text and whatever else belongs to it, such as a question's answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from siamese.errors import UserError

# What the column of texts is called; the first of these that a table has.
TEXT_COLUMNS = (
    "question",
    "query",
    "标准问题",
    "标准问",
    "问题",
    "提问",
    "text",
    "sentence",
    "文本",
    "title",
)


class Record(NamedTuple):
    """A row of a table.

    Attributes:
        where: the file and the row's place in it, for messages.
        text: what is in its column of texts, of any type.
        fields: what is in the other columns, by their names.
        column: the name of the column of texts.
    """

    where: str
    text: Any
    fields: dict[str, Any]
    column: str = "text"


def find_text_column(names: Sequence[str], column: str | None, where: str) -> str | None:
    """Find the column that holds the texts by its name.

    Args:
        names: of all columns.
        column: the name that the user gave; None: one of `TEXT_COLUMNS`.
        where: the table, for messages.

    Returns:
        Its name as the table has it; None: the table has none of `TEXT_COLUMNS`.

    Raises:
        UserError: the table has no column of the name that the user gave.
    """
    folded = [folded_name(name) for name in names]
    for wanted in [folded_name(column)] if column is not None else TEXT_COLUMNS:
        if wanted in folded:
            return names[folded.index(wanted)]
    if column is not None:
        raise UserError(
            f"{where}: has no column {column!r}, only {', '.join(map(repr, names))}. Name one of "
            "these with --column."
        )
    return None


def no_text_column(names: Sequence[str], where: str) -> UserError:
    """Make the error about a table of which it is not clear which column holds the texts."""
    return UserError(
        f"{where}: which of {', '.join(repr(name) for name in names)} holds the texts is not "
        "clear. Name the columns in the first row, one of them `text` or `question`, or say with "
        "--column which it is."
    )


def folded_name(name: str) -> str:
    """Return a column's name without what differs by accident: case, blanks and BOMs."""
    return name.replace("\ufeff", "").strip().lower()
