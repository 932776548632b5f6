"""Read labelled pairs from every accepted format."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet as pq

from siamese.data.data_file import DataFile, find_files, reading_parquet
from siamese.data.pair import Pair
from siamese.errors import UserError

PAIR_SUFFIXES = (".tsv", ".txt", ".csv")
LABEL_COLUMNS = ("label", "labels", "similar", "is_duplicate", "target", "y", "标签")
TEXT_COLUMNS = (
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("query1", "query2"),
    ("text_a", "text_b"),
)


def read_pairs(inputs: list[str]) -> list[Pair]:
    """Read labelled pairs to judge an encoder on.

    Raises:
        UserError: an input is missing, empty or malformed, or the pairs are not of both labels.
    """
    files = find_files(inputs)
    for file in files:
        if file.suffix not in (*PAIR_SUFFIXES, ".parquet"):
            raise UserError(
                f"{file}: holds no labelled pairs. Give text1, text2 and label in a .tsv, .txt, "
                ".csv or .parquet file."
            )
    pairs = [pair for file in files for pair in read_pair_file(file)]
    labels = {pair.label for pair in pairs}
    if labels != {0, 1}:
        missing = "positive (label 1)" if 1 not in labels else "negative (label 0)"
        raise UserError(
            f"{', '.join(inputs)}: no {missing} pair among {len(pairs):,}. Judging an encoder "
            "needs pairs of both labels."
        )
    return pairs


def is_pair_file(file: DataFile) -> bool:
    """Whether the file holds labelled pairs: by its ending, for Parquet by its columns."""
    if file.suffix == ".parquet":
        with reading_parquet(file), file.open() as stream:
            return _label_column(pq.read_schema(stream).names) is not None
    return file.suffix in PAIR_SUFFIXES


def read_pair_file(file: DataFile, empty_texts: bool = True) -> Iterator[Pair]:
    """Yield the pairs of one file.

    Args:
        file: a `.tsv`, `.txt`, `.csv` or `.parquet` file.
        empty_texts: whether a text may be empty (to evaluate: yes; to train: no).

    Raises:
        UserError: a row has too few or too many columns, a label that is neither 0 nor 1, or an
            empty text where none is allowed; names the file and the line.
    """
    rows = _parquet_rows(file) if file.suffix == ".parquet" else _text_rows(file)
    for number, (where, text1, text2, label) in enumerate(rows):
        if label not in ("0", "1"):
            hint = "" if number else " If this line is a header, name the third column `label`."
            raise UserError(
                f"{where}: the label is {label!r}; it must be 0 or 1. Mend the row or "
                f"remove it.{hint}"
            )
        if not empty_texts and not (text1.strip() and text2.strip()):
            raise UserError(
                f"{where}: has an empty text. Remove the row: an empty text cannot be trained on."
            )
        yield Pair(text1, text2, int(label))


def _text_rows(file: DataFile) -> Iterator[tuple[str, str, str, str]]:
    first, second, label, width = 0, 1, 2, 3
    for row_number, (line, cells) in enumerate(_split(file)):
        where = f"{file}, line {line}"
        if row_number == 0 and _is_header(cells):
            (first, second, label), width = _columns(cells, where), len(cells)
            continue
        if len(cells) != width:
            separator = "commas" if file.suffix == ".csv" else "tabs"
            raise UserError(
                f"{where}: has {len(cells)} column{'s' * (len(cells) != 1)}, expected {width} "
                f"(text1, text2, label) separated by {separator}. Mend the row or remove it."
            )
        yield where, cells[first], cells[second], cells[label].strip()


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
    return len(cells) >= 3 and _label_column(cells) is not None and cells[2] not in ("0", "1")


def _label_column(names: Sequence[str]) -> int | None:
    folded = [name.strip().lower() for name in names]
    return next((folded.index(label) for label in LABEL_COLUMNS if label in folded), None)


def _columns(names: Sequence[str], where: str) -> tuple[int, int, int]:
    """The positions of the two texts and the label among named columns."""
    folded = [name.strip().lower() for name in names]
    label = _label_column(names)
    if label is not None:
        for first, second in TEXT_COLUMNS:
            if first in folded and second in folded:
                return folded.index(first), folded.index(second), label
        others = [position for position in range(len(names)) if position != label]
        if len(others) == 2:
            return others[0], others[1], label
    raise UserError(
        f"{where}: has the columns {', '.join(names)}; which of them are the two texts and "
        "the label is not clear. Name them text1, text2 and label."
    )


def _parquet_rows(file: DataFile) -> Iterator[tuple[str, str, str, str]]:
    with reading_parquet(file), file.open() as stream:
        parquet = pq.ParquetFile(stream)
        names = parquet.schema_arrow.names
        columns = [names[position] for position in _columns(names, str(file))]
        row = 0
        for batch in parquet.iter_batches(columns=columns):
            for first, second, label in zip(
                *(batch[name].to_pylist() for name in columns), strict=True
            ):
                row += 1
                where = f"{file}, row {row}"
                if not (isinstance(first, str) and isinstance(second, str)):
                    raise UserError(f"{where}: {columns[0]} and {columns[1]} must be strings.")
                yield where, first, second, _whole_number(label)


def _whole_number(label: Any) -> str:
    """`1`, `1.0`, `True` and `"1"` are all the label 1."""
    return str(int(label)) if isinstance(label, int | float) and label in (0, 1) else str(label)
