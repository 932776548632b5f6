"""Labelled pairs or triplets, separated by tabs or commas.

Without a header they are `text1, text2, label`.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import Literal

from siamese.data.data_file import LONGEST, DataFile
from siamese.data.format import Format
from siamese.data.grades import PairRow, is_label_or_number
from siamese.data.pair_columns import checked_columns, find_columns, find_label_column
from siamese.data.records import Record, find_text_column, no_text_column
from siamese.errors import UserError

# Python's own limit, of 131,072 characters in a cell, is below what people's texts have.
csv.field_size_limit(LONGEST)


class Delimited(Format):
    """A `.tsv` file, where quotes are text, or a `.csv` file, where they quote."""

    suffixes: tuple[str, ...] = (".tsv", ".csv")
    is_text = True

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say that it is pairs: triplets are labelled pairs, too."""
        return "pairs"

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield the rows below a header that names the column of texts; else those of pairs."""
        rows = _split(file)
        line, names = next(rows, (1, []))
        where = f"{file}, line {line}"
        text = find_text_column(names, column, where)
        if text is None:
            if not (_is_header(names) or (len(names) == 3 and is_label_or_number(names[2]))):
                raise no_text_column(names, where)
            yield from super().records(file)
            return
        named = [name for name in names if name.strip()]
        if len(set(named)) < len(named):
            raise UserError(f"{where}: names a column more than once. Give each its own name.")
        for line, cells in rows:
            where = f"{file}, line {line}"
            if len(cells) != len(names):
                raise _of_other_width(file, where, cells, len(names), "the columns of the header")
            fields = {name: cell for name, cell in zip(names, cells, strict=True) if name.strip()}
            yield Record(where, fields.pop(text), fields, text)

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the pairs of the rows that are neither blank nor a header."""
        columns, width = None, 3
        for row_number, (line, cells) in enumerate(_split(file)):
            where = f"{file}, line {line}"
            if row_number == 0 and _is_header(cells):
                columns, width = checked_columns(cells, where), len(cells)
                continue
            if len(cells) != width:
                names = "the columns of the header" if columns else "text1, text2, label"
                raise _of_other_width(file, where, cells, width, names)
            if columns:
                yield from columns.rows(where, cells)
            else:
                hint = " If this line is a header, name the third column `label`."
                yield PairRow(where, cells[0], cells[1], cells[2].strip(), hint * (not row_number))


def _split(file: DataFile) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line number, cells)` of the rows that have a cell that is not blank."""
    if file.suffix != ".csv":
        for number, line in clean_lines(file):
            if line.strip():
                yield number, line.split("\t")
        return
    reader = csv.reader((line + "\n" for _, line in clean_lines(file)), strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield reader.line_num, cells
    except csv.Error as error:
        problem = "a carriage return outside quotes" if "new-line" in str(error) else str(error)
        raise UserError(
            f"{file}, line {reader.line_num}: not valid CSV: {problem}. Put quotes around each "
            "text that has commas, quotes or line ends in it, and double the quotes inside."
        ) from None


def clean_lines(file: DataFile) -> Iterator[tuple[int, str]]:
    """Yield `(number, line)` as `DataFile.lines` does.

    Raises:
        UserError: a line holds a zero, which no text does, besides what `lines` raises.
    """
    for number, line in file.lines():
        if "\0" in line:
            raise UserError(
                f"{file}, line {number}: holds a zero (NUL), which is not text. Is it damaged, or "
                "in another encoding? Save it as UTF-8, or give --encoding."
            )
        yield number, line


def _of_other_width(
    file: DataFile, where: str, cells: Sequence[str], width: int, names: str
) -> UserError:
    separator = "commas" if file.suffix == ".csv" else "tabs"
    return UserError(
        f"{where}: has {len(cells)} column{'s' * (len(cells) != 1)}, expected {width} "
        f"({names}) separated by {separator}. Fix the row or remove it." + _other_separator(cells)
    )


def _other_separator(cells: Sequence[str]) -> str:
    """Say what seems to separate the cells of a row instead."""
    row = ",".join(cells)
    if "\r" in row:
        return " It has a carriage return inside: save the file with line ends of Unix or Windows."
    if row.count(";") >= 2:
        return " It seems that semicolons do instead: save the file as CSV with commas again."
    if len(cells) == 1 and row.count("\t") >= 2:
        return " It seems that tabs do instead: name the file .tsv."
    if len(cells) == 1 and row.count(",") >= 2:
        return " It seems that commas do instead: name the file .csv."
    return ""


def _is_header(cells: Sequence[str]) -> bool:
    """Say whether a first row names columns; one that ends in a label is a pair."""
    if len(cells) >= 3 and is_label_or_number(cells[2]):
        return False
    return find_columns(cells) is not None or (
        len(cells) >= 3 and find_label_column(cells) is not None
    )


def build() -> Delimited:
    """Make the format."""
    return Delimited()
