"""Write rows into one file, a few at a time; its ending says how: CSV, TSV, JSONL, Parquet, text.

Row by row, so that what comes out is not held in memory. The file is whole or not there.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.cleaning import half_a_pair
from siamese.errors import UserError
from siamese.storage.output import check_output, saving

# What a file may end in.
ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
ROWS_AT_ONCE = 4096
Row = Mapping[str, Any]


class Writer(Protocol):
    """Takes up rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows, each with the same columns."""

    def close(self) -> None:
        """Write what is left."""


def check_rows_output(
    location: str, inputs: Sequence[str], endings: Sequence[str] = ENDINGS
) -> str:
    """Return the ending of a file that can be written.

    Args:
        location: a path or URI.
        inputs: what is read, none of which may be replaced.
        endings: that it may have.

    Raises:
        UserError: it has none of them, or cannot be written.
    """
    name = location.partition("?")[0].lower()
    ending = next((each for each in endings if name.endswith(each)), None)
    if ending is None:
        raise UserError(
            f"{location}: what shall it be? End its name in {', '.join(endings[:-1])} or "
            f"{endings[-1]}."
        )
    check_output(location, inputs)
    return ending


@contextmanager
def writing(location: str, ending: str, columns: Mapping[str, pa.DataType]) -> Iterator[Writer]:
    """Yield what writes the rows of a file.

    Args:
        location: a path or URI.
        ending: how it is written.
        columns: their names and, for Parquet, their types.

    Raises:
        UserError: a row cannot be written so.
    """
    with saving(location) as path:
        writer = _WRITERS[ending](path, columns, location)
        try:
            yield writer
        except UnicodeEncodeError:
            raise UserError(half_a_pair(location)) from None
        finally:
            writer.close()


class _Lines:
    """Writes lines of text."""

    def __init__(self, path: Path, columns: Mapping[str, pa.DataType], location: str) -> None:
        self._location = location
        self._names = list(columns)
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self.begin()

    def begin(self) -> None:
        """Write what comes before the rows."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write a line for each row."""
        self._file.writelines(self.line(row) + "\n" for row in rows)

    def line(self, row: Row) -> str:
        """Return the line of a row."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _PlainText(_Lines):
    def line(self, row: Row) -> str:
        return _plain(row[self._names[0]], "\n\r", self._location)


class _JsonLines(_Lines):
    def line(self, row: Row) -> str:
        return json.dumps(row, ensure_ascii=False, default=str)


class _Tsv(_Lines):
    def begin(self) -> None:
        self._file.write("\t".join(self._names) + "\n")

    def line(self, row: Row) -> str:
        return "\t".join(_plain(_cell(row[name]), "\t\n\r", self._location) for name in self._names)


class _Csv(_Lines):
    def begin(self) -> None:
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._names)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([_cell(row[name]) for name in self._names] for row in rows)


class _Parquet:
    def __init__(self, path: Path, columns: Mapping[str, pa.DataType], location: str) -> None:
        self._location = location
        self._schema = pa.schema(list(columns.items()))
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        try:
            table = pa.Table.from_pylist(list(rows), schema=self._schema)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise UserError(
                f"{self._location}: a column holds values of several types ({error}). Name it "
                ".jsonl, which can hold them."
            ) from None
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


_WRITERS: Mapping[str, Any] = {
    ".txt": _PlainText,
    ".csv": _Csv,
    ".tsv": _Tsv,
    ".jsonl": _JsonLines,
    ".parquet": _Parquet,
}


def _cell(value: Any) -> str:
    """Write a value into a cell: what is no string or number as JSON, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _plain(text: str, reserved: str, location: str) -> str:
    """Return a text that a line, or a cell between tabs, can hold."""
    if not set(reserved).isdisjoint(text):
        raise UserError(
            f"{location}: {text[:40]!r} holds a tab or the end of a line, which such a file cannot "
            "hold. Name it .csv, .jsonl or .parquet."
        )
    return text
