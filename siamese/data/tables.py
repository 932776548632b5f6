"""Tables of Arrow, as Parquet and Hugging Face's files hold them: groups, labelled pairs, texts."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from siamese.data.grades import PairRow
from siamese.data.group import Group, checked_group, checked_id, find_group_columns
from siamese.data.pair_columns import checked_columns, holds_pairs
from siamese.data.records import Record, find_text_column, no_text_column
from siamese.errors import UserError

# Reads some columns of a table, by their names, a batch at a time.
ReadColumns = Callable[[list[str]], Iterator[pa.RecordBatch]]


def groups_in(names: list[str], read: ReadColumns, where: str) -> Iterator[Group]:
    """Yield a group of each row.

    Args:
        names: of all columns.
        read: reads those that are needed.
        where: the file, for messages.

    Raises:
        UserError: the names are not those of groups, or a row is of another shape.
    """
    found = find_group_columns(names, where)
    columns = [names[position] for position in found if position is not None]
    id_column, texts_column, *_ = columns
    for batch in read(columns):
        for row in batch.to_pylist():
            yield checked_group(
                checked_id(row[id_column], lambda: where),
                row[texts_column],
                row.get("negatives") or (),
                lambda: where,
                row.get("pairs") or (),
            )


def pair_rows_in(names: list[str], read: ReadColumns, where: str) -> Iterator[PairRow]:
    """Yield the labelled pairs of every row.

    Args:
        names: of all columns.
        read: reads those that are needed.
        where: the file, for messages.

    Raises:
        UserError: the names do not say which columns hold pairs, or a text is no string.
    """
    columns = checked_columns(names, where)
    used = [names[position] for position in columns.positions]
    row = 0
    for batch in read(used):
        for cells in zip(*(batch[name].to_pylist() for name in used), strict=True):
            row += 1
            by_position: dict[int, Any] = dict(zip(columns.positions, cells, strict=True))
            yield from columns.rows(f"{where}, row {row}", by_position)


def records_in(
    names: list[str], read: ReadColumns, where: str, column: str | None
) -> Iterator[Record] | None:
    """Read every row with its text.

    Args:
        names: of all columns.
        read: reads those that are needed.
        where: the file, for messages.
        column: that holds the texts; None: one of `TEXT_COLUMNS`.

    Returns:
        None: the table is one of groups or labelled pairs.

    Raises:
        UserError: no column holds texts.
    """
    text = find_text_column(names, column, where)
    if text is None:
        if holds_pairs(names) or "texts" in names:
            return None
        raise no_text_column(names, where)
    rows = (row for batch in read(names) for row in batch.to_pylist())
    return (
        Record(f"{where}, row {number}", row.pop(text), row, text)
        for number, row in enumerate(rows, start=1)
    )


def texts_in(read: ReadColumns, where: str) -> Iterator[str]:
    """Yield the column `text`, such as `siamese encode` writes.

    Args:
        read: reads it.
        where: the file, for the message.

    Raises:
        UserError: a value is no string.
    """
    for batch in read(["text"]):
        texts = batch["text"].to_pylist()
        if not all(isinstance(text, str) for text in texts):
            raise UserError(
                f"{where}: the column `text` must hold strings, without missing values."
            )
        yield from texts
