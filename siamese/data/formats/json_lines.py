"""JSON Lines: one `{"id": …, "texts": [text, …], "negatives": [text, …]}` a line.

The id may also be called `group_id`.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from siamese.data.cleaning import half_a_pair
from siamese.data.data_file import DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.group import Group, checked_group, checked_id, shorten
from siamese.data.pair import find_label_column
from siamese.errors import UserError


class JsonLines(Format):
    """A `.jsonl` file of groups. Its ranges are of bytes."""

    suffixes = (".jsonl",)
    is_text = True

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


def _group(line: str, where: Callable[[], str]) -> Group:
    """Read the group of a line."""
    try:
        row = json.loads(line, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{where()}, column {error.colno}: not valid JSON: {error.msg}. Each line must hold "
            "one whole object."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where()}: not usable JSON: {error}.") from None
    id_key = "id" if isinstance(row, dict) and "id" in row else "group_id"
    if not isinstance(row, dict) or "texts" not in row or id_key not in row:
        is_pair = isinstance(row, dict) and find_label_column(list(row)) is not None
        raise UserError(
            f'{where()}: expected {{"id": …, "texts": [text, …]}}, found {shorten(row)}.'
            + " Write labelled pairs as .tsv, .csv or .parquet." * is_pair
        )
    group_id = checked_id(row[id_key], where)
    group = checked_group(group_id, row["texts"], row.get("negatives") or (), where)
    try:
        "".join((group.id, *group.texts, *group.negatives)).encode()
    except UnicodeEncodeError:
        raise UserError(half_a_pair(f"{where()}, group {group.id!r}")) from None
    return group


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
