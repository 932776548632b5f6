"""Labelled pairs: reading them, and joining them into groups."""

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from siamese.errors import UserError
from siamese.files import DataFile, find_files, reading_parquet

PAIR_SUFFIXES = (".tsv", ".txt", ".csv")
LABEL_COLUMNS = ("label", "labels", "similar", "is_duplicate", "target", "y", "标签")
TEXT_COLUMNS = (
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("query1", "query2"),
    ("text_a", "text_b"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and whether they mean the same (label 1) or not (label 0)."""

    text1: str
    text2: str
    label: int


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


@dataclass(frozen=True)
class JoinedPairs:
    """What labelled pairs join into.

    Attributes:
        groups: `(texts, negatives)` of each group, in the order in which the texts first appear: of
            two different texts or more, or of one text that has negatives.
        single: texts that are in a positive pair with themselves, and in no other pair that counts.
        contradicting: negative pairs inside a group, dropped.
        positive: pairs of label 1.
        negative: pairs of label 0.
    """

    groups: list[tuple[tuple[str, ...], tuple[str, ...]]]
    single: int
    contradicting: int
    positive: int
    negative: int


def join_pairs(pairs: Iterable[Pair]) -> JoinedPairs:
    """Join positive pairs into groups: the connected components of the texts.

    The negative pairs of a group's texts become its hard negatives. Of a negative pair of two texts
    that no positive pair joins to others, one becomes a group of one text with the other as its
    negative: the one that is such a group already, or else the smaller. A negative pair inside one
    group contradicts the positive ones that join it. Every text is held in memory, once.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids: dict[str, int] = {}
    numbers = array("q")
    for pair in pairs:
        for text in (pair.text1, pair.text2):
            numbers.append(ids.setdefault(text, len(ids)))
        numbers.append(pair.label)
    ends = np.frombuffer(numbers, np.int64).reshape(-1, 3)
    texts = list(ids)
    joined, apart = ends[ends[:, 2] == 1], ends[ends[:, 2] == 0]
    if not texts:
        return JoinedPairs([], 0, 0, 0, 0)
    graph = coo_array(
        (np.ones(len(joined), np.int8), (joined[:, 0], joined[:, 1])), shape=(len(texts),) * 2
    )
    _, component = connected_components(graph, directed=False)

    members: dict[int, list[str]] = {}
    for text, own in zip(texts, component.tolist(), strict=True):
        members.setdefault(own, []).append(text)
    negatives: dict[int, list[str]] = {}
    contradicting = 0
    for first, second, one, other in zip(
        *apart.T[:2].tolist(), *component[apart.T[:2]].tolist(), strict=True
    ):
        if one == other:
            contradicting += 1
        elif len(members[one]) == len(members[other]) == 1:
            _, _, own, far = min(
                (one not in negatives, texts[first], one, second),
                (other not in negatives, texts[second], other, first),
            )
            negatives.setdefault(own, []).append(texts[far])
        else:
            if len(members[one]) > 1:
                negatives.setdefault(one, []).append(texts[second])
            if len(members[other]) > 1:
                negatives.setdefault(other, []).append(texts[first])
    groups = [
        (tuple(own), tuple(dict.fromkeys(negatives.get(number, ()))))
        for number, own in members.items()
        if len(own) > 1 or number in negatives
    ]
    alone = {own for own in component[joined[:, 0]].tolist() if len(members[own]) == 1}
    single = len(alone - negatives.keys())
    return JoinedPairs(groups, single, contradicting, len(joined), len(apart))
