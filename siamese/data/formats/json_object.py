"""One JSON object `{id: [text, …]}`, as the notebook has it. It is read as a stream."""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

import ijson

from siamese.data.cleaning import half_a_pair
from siamese.data.data_file import BOM, DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.group import Group, checked_group, shorten
from siamese.errors import UserError

# JSON up to half of a surrogate pair, `\\ud83d` without `\\ude31` after it, or the other way round.
_WHOLE_CHARACTERS = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89a-fA-F])....|\\[^u])*+", re.DOTALL
)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonObject(Format):
    """A `.json` file of groups."""

    suffixes = (".json",)

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield the groups of the whole file: one object has no ranges."""
        with file.open() as stream:
            if stream.read(len(BOM)) != BOM:
                stream.seek(0)
            found, problem = False, "it is empty"
            try:
                checked = _WholeCharacters(stream, file)
                for group_id, texts in ijson.kvitems(checked, "", use_float=True):
                    found = True
                    yield checked_group(group_id, texts, (), lambda: str(file))
            except (ijson.JSONError, UnicodeDecodeError) as error:
                found, problem = False, str(error)
        if not found:
            _refuse(file, problem)


class _WholeCharacters:
    """A JSON file that refuses half of a surrogate pair, which ijson would turn into `?`."""

    def __init__(self, stream: BinaryIO, file: DataFile) -> None:
        self._stream, self._file = stream, file
        self._line, self._tail = 1, b""

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._stream.read(size)
        unchecked = self._tail + data
        end = _WHOLE_CHARACTERS.match(unchecked).end()  # type: ignore[union-attr]
        self._line += unchecked.count(b"\n", 0, end)
        if _HALF.match(unchecked, end) and (len(unchecked) - end >= 12 or not data):
            raise UserError(half_a_pair(f"{self._file}, line {self._line}"))
        # What may be the beginning of an escape is looked at again; ijson reports a wrong one.
        self._tail = unchecked[end:] if len(unchecked) - end < 12 else b""
        return data


def _refuse(file: DataFile, problem: str) -> None:
    """Read the whole file again, to say what is wrong with it and in which line."""
    text = "\n".join(line for _, line in file.lines())  # names the line of invalid UTF-8
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{file}, line {error.lineno}, column {error.colno}: not valid JSON: {error.msg}."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not usable JSON: {error}.") from None
    if isinstance(value, dict):
        raise UserError(f"{file}: not a usable object {{id: [text, …]}}: {problem}.")
    raise UserError(
        f"{file}: holds {shorten(value)}, where an object {{id: [text, …]}} is expected."
    )


def build() -> JsonObject:
    """Make the format."""
    return JsonObject()
