"""Groups as they stand in a file of any accepted format, or in a part of one."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import ijson
import pyarrow.parquet as pq

from siamese.data.cleaning import half_a_pair
from siamese.data.data_file import BOM, DataFile, reading_parquet
from siamese.data.group import Group
from siamese.errors import UserError

# JSON up to half of a surrogate pair, `\\ud83d` without `\\ude31` after it, or the other way round.
_WHOLE_CHARACTERS = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89a-fA-F])....|\\[^u])*+", re.DOTALL
)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
GROUP_ID_COLUMNS = ("group_id", "id")


def read_group_file(file: DataFile, start: int = 0, end: int | None = None) -> Iterator[Group]:
    """Yield the groups of one file, as they stand there.

    Args:
        file: a `.json`, `.jsonl` or `.parquet` file.
        start: where to begin: at the first line that starts at this byte or later in `.jsonl`, at
            this row group in `.parquet`.
        end: where to end, likewise; None: at the end of the file. A `.json` file has no parts.

    Raises:
        UserError: the file is of another kind, shape or encoding; names the line where there are
            lines.
    """
    if file.suffix == ".json":
        return _read_json(file)
    if file.suffix == ".jsonl":
        return _read_json_lines(file, start, end)
    if file.suffix == ".parquet":
        return _read_parquet(file, start, end)
    raise UserError(
        f"{file}: unknown kind of file. Accepted are .json, .jsonl, .tsv, .csv, .txt and .parquet."
    )


def _read_json(file: DataFile) -> Iterator[Group]:
    with file.open() as stream:
        if stream.read(len(BOM)) != BOM:
            stream.seek(0)
        found, problem = False, "it is empty"
        try:
            checked = _WholeCharacters(stream, file)
            for group_id, texts in ijson.kvitems(checked, "", use_float=True):
                found = True
                yield _checked_group(group_id, texts, (), lambda: str(file))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            found, problem = False, str(error)
    if not found:
        _refuse_json(file, problem)


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
        # What may be the beginning of an escape is looked at again; a wrong one ijson tells of.
        self._tail = unchecked[end:] if len(unchecked) - end < 12 else b""
        return data


def _refuse_json(file: DataFile, problem: str) -> None:
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
        f"{file}: holds {_shorten(value)}, where an object {{id: [text, …]}} is expected."
    )


def _read_json_lines(file: DataFile, start: int, end: int | None) -> Iterator[Group]:
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
                f'{where()}: expected {{"id": …, "texts": [text, …]}}, found {_shorten(row)}.'
            )
        yield _checked_group(str(row["id"]), row["texts"], row.get("negatives") or (), where)


def _read_parquet(file: DataFile, start: int, end: int | None) -> Iterator[Group]:
    with reading_parquet(file), file.open() as stream:
        parquet = pq.ParquetFile(stream)
        names = parquet.schema_arrow.names
        id_column = next((c for c in GROUP_ID_COLUMNS if c in names), None)
        if id_column is None or "texts" not in names:
            raise UserError(
                f"{file}: has the columns {', '.join(names)}. Expected are `id` (or `group_id`) "
                "and `texts` for groups, or two texts and `label` for pairs."
            )
        columns = [id_column, "texts"] + (["negatives"] if "negatives" in names else [])
        row_groups = range(start, parquet.num_row_groups if end is None else end)
        for batch in parquet.iter_batches(4096, row_groups=row_groups, columns=columns):
            for row in batch.to_pylist():
                yield _checked_group(
                    str(row[id_column]),
                    row["texts"],
                    row.get("negatives") or (),
                    lambda: str(file),
                )


def _checked_group(group_id: str, texts: Any, negatives: Any, where: Callable[[], str]) -> Group:
    for name, value in (("texts", texts), ("negatives", negatives)):
        if not isinstance(value, list | tuple):
            raise UserError(
                f"{where()}, group {group_id!r}: {name} must be a list of strings, found "
                f"{_shorten(value)}."
            )
        for item in value:
            if not isinstance(item, str):
                raise UserError(
                    f"{where()}, group {group_id!r}: {name} must be strings, found "
                    f"{_shorten(item)}."
                )
    return Group(group_id, tuple(texts), tuple(negatives))


def _shorten(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "lists in lists in lists …"
    return text if len(text) <= 60 else text[:57] + "…"
