"""JSON Lines: one `{"id": …, "texts": [text, …], "negatives": [text, …]}` a line."""

import json
from collections.abc import Iterator

from siamese.data.data_file import DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.group import Group, checked_group, shorten
from siamese.errors import UserError


class JsonLines(Format):
    """A `.jsonl` file of groups. Its ranges are of bytes."""

    suffixes = (".jsonl",)

    def ranges(self, file: DataFile, size: int) -> Iterator[FileRange]:
        """Cut the file into ranges of `size` bytes; a line belongs to the range it begins in."""
        total = file.size()
        if total <= size:  # also of a file system that cannot tell
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
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                if not line.strip():
                    continue
                raise UserError(
                    f"{where()}, column {error.colno}: not valid JSON: {error.msg}."
                ) from None
            except (ValueError, RecursionError) as error:
                raise UserError(f"{where()}: not usable JSON: {error}.") from None
            if not isinstance(row, dict) or "texts" not in row or "id" not in row:
                raise UserError(
                    f'{where()}: expected {{"id": …, "texts": [text, …]}}, found {shorten(row)}.'
                )
            yield checked_group(str(row["id"]), row["texts"], row.get("negatives") or (), where)


def build() -> JsonLines:
    """Make the format."""
    return JsonLines()
