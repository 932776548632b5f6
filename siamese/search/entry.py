"""What an index is made of: texts with an id each, and whatever else belongs to them."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from siamese.data.cleaning import half_a_pair
from siamese.data.format import find_inputs
from siamese.data.group import shorten
from siamese.data.records import Record, folded_name
from siamese.errors import UserError

ID_COLUMN = "id"


class Entry(NamedTuple):
    """A text to be found.

    Attributes:
        id: its own among all of an index; empty: the index makes one, a number.
        text: what a question is compared with.
        fields: what belongs to it, such as its answer; only what JSON can hold.
    """

    id: str
    text: str
    fields: dict[str, Any]


def read_entries(
    inputs: Sequence[str], column: str | None = None, encoding: str | None = None
) -> Iterator[Entry]:
    """Yield the entries of files: rows of tables, lines of plain texts, texts of groups and pairs.

    A table's column `id` holds the ids. All columns but that and the one of texts are fields, but
    for embeddings.

    Args:
        inputs: files, globs, folders or URIs, in any accepted format.
        column: that holds the texts; None: one of `TEXT_COLUMNS`.
        encoding: of all text files, such as `gb18030`; None: the beginning of each says it.

    Raises:
        UserError: here or on the way: an input is missing, empty, damaged or of another shape, a
            text is empty or no string, or an id occurs twice; names the file and the line.
    """
    seen: set[str] = set()
    count = 0
    for where, entry in _read(inputs, column, encoding):
        if entry.id and entry.id in seen:
            pairs = _read(inputs, column, encoding)
            first = next(where for where, other in pairs if other.id == entry.id)
            raise UserError(
                f"{where}: the id {entry.id!r} occurs twice, first in {first}. Give each row an id "
                "of its own."
            )
        seen.add(entry.id)
        count += 1
        yield entry
    if not count:
        raise UserError(f"{', '.join(inputs)}: holds no text.")


def read_questions(
    inputs: Sequence[str], column: str | None = None, encoding: str | None = None
) -> list[str]:
    """Read the texts of files as `read_entries` does, whatever else is in them.

    Raises:
        UserError: as in `read_entries`, but for ids.
    """
    questions = [
        checked_entry(Entry("", record.text, {}), record.where).text
        for record in _records(inputs, column, encoding)
    ]
    if not questions:
        raise UserError(f"{', '.join(inputs)}: holds no text.")
    return questions


def _read(
    inputs: Sequence[str], column: str | None, encoding: str | None
) -> Iterator[tuple[str, Entry]]:
    for record in _records(inputs, column, encoding):
        yield record.where, _entry_of(record)


def _records(inputs: Sequence[str], column: str | None, encoding: str | None) -> Iterator[Record]:
    for file, format in find_inputs(list(inputs), encoding=encoding):
        yield from format.records(file, column)


def _entry_of(record: Record) -> Entry:
    where, text, fields, _ = record
    given = [name for name in fields if folded_name(name) == ID_COLUMN]
    entry_id = _checked_id(fields.pop(given[0]), where) if given else ""
    return checked_entry(Entry(entry_id, text, fields), where)


def checked_entry(entry: Any, where: str) -> Entry:
    """Return an entry whose fields are what JSON can hold.

    Args:
        entry: should be one, or a text.
        where: its place, for messages.

    Raises:
        UserError: its text is empty or no string, its id no string, or a field is something else.
    """
    if isinstance(entry, str):
        entry = Entry("", entry, {})
    is_entry = isinstance(entry, tuple) and len(entry) == 3
    if not is_entry or not isinstance(entry[0], str) or not isinstance(entry[2], dict):
        raise UserError(f"{where}: expected a text or an Entry, found {shorten(entry)}.")
    entry_id, text, fields = entry
    if not isinstance(text, str):
        raise UserError(f"{where}: the text must be a string, found {shorten(text)}.")
    if not text.strip():
        raise UserError(f"{where}: the text is empty. Fill it in, or remove the row.")
    try:
        fields = {
            str(name): _as_json(value, f"{where}, {name!r}")
            for name, value in fields.items()
            if not _is_embedding(value)
        }
        f"{entry_id}{text}{json.dumps(fields, ensure_ascii=False)}".encode()
    except UnicodeEncodeError:
        raise UserError(half_a_pair(where)) from None
    except RecursionError:
        raise UserError(f"{where}: holds lists in lists in lists, too deep to keep.") from None
    return Entry(entry_id, text, fields)


def checked_entries(entries: Iterable[Any], with_ids: bool = False) -> Iterator[Entry]:
    """Yield entries of a caller in Python as `checked_entry` does.

    Args:
        entries: should be entries, or texts.
        with_ids: whether each must have an id.

    Raises:
        UserError: as `checked_entry`, or an id is missing.
    """
    if isinstance(entries, str | bytes) or not isinstance(entries, Iterable):
        raise UserError(f"expected a list of texts or of Entry, found {shorten(entries)}.")
    for number, value in enumerate(entries, start=1):
        entry = checked_entry(value, f"entry {number}")
        if with_ids and not entry.id:
            raise UserError(f"entry {number}: has no id, which says what it replaces.")
        yield entry


def _checked_id(value: Any, where: str) -> str:
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)  # as pandas writes whole numbers where some are missing
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise UserError(
            f"{where}: the id must be a string or a whole number, found {shorten(value)}."
        )
    return str(value)


def _as_json(value: Any, where: str) -> Any:
    """Return a value of a table as one that JSON can hold; a missing number is null."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_as_json(each, where) for each in value]
    if isinstance(value, dict):
        return {str(key): _as_json(each, where) for key, each in value.items()}
    if isinstance(value, bytes | bytearray | memoryview):
        raise UserError(f"{where}: holds bytes, which an index does not keep. Leave them out.")
    return str(value)  # a date, a time, a decimal number


def _is_embedding(value: Any) -> bool:
    """Say whether it is what `siamese encode` writes, which nobody wants to see with an answer."""
    return isinstance(value, list) and len(value) > 1 and all(type(x) is float for x in value)
