"""JSON Lines: a group, a labelled pair or a triplet a line; the first line says which of them.

    {"id": …, "texts": [text, …], "negatives": [text, …]}       a group
    {"sentence1": …, "sentence2": …, "label": 1}                a labelled pair
    {"anchor": …, "positive": …, "negative": …}                 a triplet
    {"query": …, "pos": [text, …], "neg": [text, …]}            a text with several others

The id may also be called `group_id`; the other keys as the columns in `pair_columns.py`.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

from siamese.data.cleaning import half_a_pair
from siamese.data.data_file import DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.grades import PairRow
from siamese.data.group import Group, checked_group, checked_id, shorten
from siamese.data.pair_columns import find_columns, holds_pairs
from siamese.data.records import Record, find_text_column, no_text_column
from siamese.errors import UserError


class JsonLines(Format):
    """A `.jsonl` file. The ranges of one of groups are of bytes."""

    suffixes = (".jsonl",)
    is_text = True

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say what the first line holds."""
        first = next((line for _, line in file.lines() if line.strip()), "")
        return "pairs" if is_pairs(first) else "groups"

    def ranges(self, file: DataFile, size: int) -> Iterator[FileRange]:
        """Cut the file into ranges of `size` bytes; a line belongs to the range it begins in."""
        total = file.size()
        if total <= size or not file.can_seek:  # also of a file system that cannot tell
            yield FileRange(0, None, total)
            return
        for start in range(0, total, size):
            end = min(start + size, total)
            yield FileRange(start, end, end - start)

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield a group of each line that is not blank."""
        start, end, _ = range_

        def where() -> str:
            # Finding it may need all lines before, so that is done only for a message.
            return f"{file}, line {file.line_number(start, number)}"

        for number, line in file.lines(start, end):  # noqa: B007
            if line.strip():
                yield _group(line, where)

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the pairs of each line that is not blank."""
        first = None
        for number, line in file.lines():
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            row = _parsed(line, lambda: where)  # noqa: B023 (called at once)
            columns = find_columns(list(row)) if isinstance(row, dict) else None
            first = first or columns
            if columns is None or first is None or columns.holds != first.holds:
                expected = f"{first.holds}, as in the first line" if first else "a labelled pair"
                raise UserError(f"{where}: expected {expected}, found {shorten(row)}.")
            for pair in columns.rows(where, list(row.values())):
                _refuse_surrogates((pair.text1, pair.text2), lambda: where)  # noqa: B023
                yield pair

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield every line that is not blank, if the first one has a key for texts."""
        text = None
        for number, line in file.lines():
            if not line.strip():
                continue
            where = f"{file}, line {number}"
            row = _parsed(line, lambda: where)  # noqa: B023 (called at once)
            if not isinstance(row, dict):
                raise UserError(f"{where}: expected an object, found {shorten(row)}.")
            if text is None:
                text = find_text_column(list(row), column, where)
                if text is None and not (holds_pairs(list(row)) or "texts" in row):
                    raise no_text_column(list(row), where)
                if text is None:
                    yield from super().records(file)
                    return
            if text not in row:
                raise UserError(f"{where}: has no {text!r}, as the first line has.")
            yield Record(where, row.pop(text), row, text)


def is_pairs(line: str | bytes) -> bool:
    """Say whether a line holds labelled pairs or a triplet."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and holds_pairs(list(row))


def _parsed(line: str, where: Callable[[], str]) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{where()}, column {error.colno}: not valid JSON: {error.msg}. Each line must hold "
            "one whole object."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where()}: not usable JSON: {error}.") from None


def _group(line: str, where: Callable[[], str]) -> Group:
    """Read the group of a line."""
    row = _parsed(line, where)
    id_key = "id" if isinstance(row, dict) and "id" in row else "group_id"
    if not isinstance(row, dict) or "texts" not in row or id_key not in row:
        is_pair = isinstance(row, dict) and holds_pairs(list(row))
        raise UserError(
            f'{where()}: expected {{"id": …, "texts": [text, …]}}, found {shorten(row)}.'
            + " Write labelled pairs into a file of their own." * is_pair
        )
    group_id = checked_id(row[id_key], where)
    group = checked_group(
        group_id, row["texts"], row.get("negatives") or (), where, row.get("pairs") or ()
    )
    _refuse_surrogates(
        (group.id, *group.texts, *group.negatives), lambda: f"{where()}, group {group.id!r}"
    )
    return group


def _refuse_surrogates(texts: tuple[str, ...], where: Callable[[], str]) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise UserError(half_a_pair(where())) from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} occurs more than once")
    return found


def build() -> JsonLines:
    """Make the format."""
    return JsonLines()
