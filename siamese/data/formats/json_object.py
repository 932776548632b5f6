"""One JSON object `{id: [text, …]}`, as the notebook has it. It is read as a stream.

A large one is cut between its groups into ranges, and each is read as an object of its own. Where
one cannot be, the file is read as a whole, which tells the line of what is wrong. (Of several
mistakes close together one further up may be named, which the whole would name only later.)

JSON Lines are often named `.json` too; they are known by their first object.
"""

import io
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO, Literal, cast

import ijson

from siamese.data.cleaning import half_a_pair
from siamese.data.data_file import BLOCK, BOM, LONGEST, DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.formats.json_lines import JsonLines, is_pairs
from siamese.data.grades import PairRow
from siamese.data.group import Group, checked_group, shorten
from siamese.data.json_cuts import cuts
from siamese.data.pair_columns import ANCHOR_COLUMNS, TEXT_COLUMNS
from siamese.data.records import Record
from siamese.errors import UserError

# JSON up to half of a surrogate pair, `\\ud83d` without `\\ude31` after it, or the other way round.
_WHOLE_CHARACTERS = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89a-fA-F])....|\\[^u])*+", re.DOTALL
)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
# The beginning of JSON Lines: the value of an id, or of a text, is no list, as in one object.
_FIRST_KEYS = "|".join(["(?:group_)?id", *ANCHOR_COLUMNS, *chain.from_iterable(TEXT_COLUMNS)])
_ONE_LINE = re.compile(rb'\s*\{\s*"(?:%s)"\s*:\s*[^\[\s]' % _FIRST_KEYS.encode())
_BOMS = re.compile(rb"(?:%s|\s)*" % BOM)
# Bytes of a text at most: the time to read one grows with the square of its length.
_LONGEST_TEXT = 16 << 20
# Characters that are read again as a whole, to find the line of what is wrong.
_READ_AGAIN = 16 << 20


class JsonObject(Format):
    """A `.json` file of groups, or of what JSON Lines hold. Its ranges are of bytes."""

    suffixes = (".json",)
    is_text = True

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say what it holds: one object holds groups."""
        with _opened(file) as stream:
            is_lines = _is_lines(stream.peek())
        return JsonLines().holds(file) if is_lines else "groups"

    def ranges(self, file: DataFile, size: int) -> Iterator[FileRange]:
        """Cut the file into ranges of whole groups, of `size` bytes or little more."""
        total = file.size()
        if total <= size or not file.can_seek:  # also of a file system that cannot tell
            yield FileRange(0, None, total)
            return
        with _opened(file) as stream:
            if _is_lines(stream.peek()):
                yield from JsonLines().ranges(file, size)
                return
            start = 0
            for end, next_start in cuts(stream, size):
                yield FileRange(start, end, next_start - start)
                start = next_start
        yield FileRange(start, None, total - start)

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the pairs of each line that is not blank."""
        return JsonLines().pair_rows(file)

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield the groups of a range of the file."""
        start, end, _ = range_
        is_whole = (start, end) == (0, None)
        with _opened(file) as stream:
            beginning = stream.peek()
            if _is_lines(beginning):
                yield from JsonLines().groups(file, range_)
                return
            if start:
                stream.seek(start)
            else:
                stream.read(len(_BOMS.match(beginning)[0]))  # type: ignore[index]
            checked = _WholeCharacters(stream if is_whole else _Object(stream, start, end), file)
            problem = "it is empty"
            try:
                for group in _groups(file, checked):
                    problem = ""
                    yield group
            except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
                problem = " ".join(str(error).split()).rstrip(".")
            except UserError as error:
                if is_whole:
                    raise
                problem = str(error)
        if problem and not is_whole:
            for _ in self.groups(file):
                pass  # up to what is wrong
        if problem:
            _refuse(file, problem, checked.line)

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield the rows of JSON Lines; one object holds groups."""
        first = next((line for _, line in file.lines() if line.strip()), "")
        is_row = first.rstrip().endswith("}") and not _holds_lists_only(first)
        yield from JsonLines().records(file, column) if is_row else super().records(file, column)


def _holds_lists_only(line: str) -> bool:
    """Say whether a line is no object on its own, or one of groups."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return True
    return not isinstance(row, dict) or all(isinstance(value, list) for value in row.values())


def _is_lines(beginning: bytes) -> bool:
    """Say whether a file begins as JSON Lines do."""
    start = _BOMS.sub(b"", beginning, count=1)
    if _ONE_LINE.match(start):
        return True
    line = start.partition(b"\n")[0]
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(row, dict) or (list in map(type, row.values()) and "texts" not in row):
        return False
    return isinstance(row.get("id"), str | int) or is_pairs(line)


def _opened(file: DataFile) -> io.BufferedReader:
    """Open a file for reading in blocks."""
    return io.BufferedReader(cast(io.RawIOBase, file.open()), BLOCK)


def _groups(file: DataFile, stream: "_WholeCharacters") -> Iterator[Group]:
    """Yield the groups of one object."""
    # What is nested deeper is looked at, event by event, and never built.
    for group_id, texts in _items(ijson.basic_parse(stream, use_float=True)):
        stream.begin_group()
        yield checked_group(group_id, texts, (), lambda: str(file))


def _items(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of an object, a value that is no list of strings as its beginning.

    Raises:
        ValueError: it is no object.
    """
    if next(events)[0] != "start_map":
        raise ValueError("it is no object")
    key, texts = "", list[str]()
    for event, value in events:
        if event == "string":
            texts.append(value)
        elif event == "map_key":
            key = value
            event, value = next(events)
            if event != "start_array":
                yield key, _value(event, value, events)
            texts = []
        elif event == "end_array":
            yield key, texts
        elif event != "end_map":
            yield key, [*texts, _value(event, value, events)]


def _value(event: str, value: Any, events: Iterator[tuple[str, Any]]) -> Any:
    """Build the value that begins with an event, but no more of it than a message shows."""
    builder = ijson.ObjectBuilder()
    depth = 0
    for each, content in islice(chain([(event, value)], events), 40):
        builder.event(each, content)
        depth += each.startswith("start_") - each.startswith("end_")
        if depth == 0:
            break
    return builder.value


class _Object:
    """The members of an object in a range of its file, as an object of their own.

    Args:
        stream: the file, where the range begins.
        start: of the range; the first range begins with the `{` of the file.
        end: of the range; None: it ends with the `}` of the file.
    """

    def __init__(self, stream: BinaryIO, start: int, end: int | None) -> None:
        self._stream, self._end = stream, end
        self._brackets = [b"{"] * (start > 0), [b"}"] * (end is not None)

    def read(self, size: int) -> bytes:
        """Read on, up to so many bytes; ijson begins with 0."""
        if size == 0:
            return b""
        before, after = self._brackets
        if before:
            return before.pop()
        if self._end is not None:
            size = min(size, self._end - self._stream.tell())
        data = self._stream.read(size)
        return data or (after.pop() if after else b"")


class _WholeCharacters:
    """A JSON file that refuses half of a surrogate pair, which ijson would turn into `?`."""

    def __init__(self, stream: "BinaryIO | _Object", file: DataFile) -> None:
        self._stream, self._file = stream, file
        self._tail = b""
        self._limit = LONGEST
        self._quote = 0
        self.line, self.position = 1, 0

    def begin_group(self) -> None:
        """Say that a group ended, so that another may be as long."""
        self._limit = self.position + LONGEST

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._stream.read(size)
        self.position += len(data)
        if b'"' in data:
            self._quote = self.position
        if self.position > self._limit or self.position - self._quote > _LONGEST_TEXT:
            raise UserError(
                f"{self._file}, near line {self.line}: a text is longer than "
                f"{_LONGEST_TEXT >> 20} MiB, or a group than {LONGEST >> 20} MiB. Is this a file "
                "of texts? If so, make them smaller."
            )
        unchecked = self._tail + data
        end = _WHOLE_CHARACTERS.match(unchecked).end()  # type: ignore[union-attr]
        self.line += unchecked.count(b"\n", 0, end)
        if _HALF.match(unchecked, end) and (len(unchecked) - end >= 12 or not data):
            raise UserError(half_a_pair(f"{self._file}, line {self.line}"))
        # What may be the beginning of an escape is looked at again; ijson reports a wrong one.
        self._tail = unchecked[end:] if len(unchecked) - end < 12 else b""
        return data


def _refuse(file: DataFile, problem: str, line: int) -> None:
    """Read the file again, to say what is wrong with it and in which line.

    Args:
        file: the file.
        problem: in the words of who read it.
        line: about where.
    """
    lines: list[str] = []
    size = 0
    for _, each in file.lines():  # names the line of invalid UTF-8
        size += len(each)
        if size <= _READ_AGAIN:
            lines.append(each)
    if size > _READ_AGAIN:
        raise UserError(f"{file}, near line {line}: not valid JSON: {problem}.")
    text = "\n".join(lines)
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
