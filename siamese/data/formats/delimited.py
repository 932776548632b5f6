"""Labelled pairs `text1, text2, label` separated by tabs or commas, with or without a header."""

import csv
from collections.abc import Iterator, Sequence
from typing import Literal

from siamese.data.data_file import DataFile
from siamese.data.format import Format
from siamese.data.pair import PairRow, find_label_column, find_pair_columns
from siamese.errors import UserError


class Delimited(Format):
    """A `.tsv` file, where quotes are text, or a `.csv` file, where they quote."""

    suffixes: tuple[str, ...] = (".tsv", ".csv")

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say that it is pairs."""
        return "pairs"

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the rows that are neither blank nor a header."""
        first, second, label, width = 0, 1, 2, 3
        for row_number, (line, cells) in enumerate(_split(file)):
            where = f"{file}, line {line}"
            if row_number == 0 and _is_header(cells):
                (first, second, label), width = find_pair_columns(cells, where), len(cells)
                continue
            if len(cells) != width:
                separator = "commas" if file.suffix == ".csv" else "tabs"
                raise UserError(
                    f"{where}: has {len(cells)} column{'s' * (len(cells) != 1)}, expected {width} "
                    f"(text1, text2, label) separated by {separator}. Fix the row or remove it."
                )
            hint = "" if row_number else " If this line is a header, name the third column `label`."
            yield PairRow(where, cells[first], cells[second], cells[label].strip(), hint)


def _split(file: DataFile) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line number, cells)` of the rows that are not blank."""
    if file.suffix != ".csv":
        for number, line in file.lines():
            if line.strip():
                yield number, line.split("\t")
        return
    reader = csv.reader((line + "\n" for _, line in file.lines()), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: not valid CSV: {error}.") from None


def _is_header(cells: Sequence[str]) -> bool:
    return len(cells) >= 3 and find_label_column(cells) is not None and cells[2] not in ("0", "1")


def build() -> Delimited:
    """Make the format."""
    return Delimited()
