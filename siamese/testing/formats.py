"""The laws of an input format."""

import copy
import tempfile
from pathlib import Path
from typing import Any

from siamese.data.cleaning import ReadingCounts
from siamese.data.data_file import DataFile
from siamese.data.format import Format, find_inputs
from siamese.data.group import Group
from siamese.data.reading import read_groups
from siamese.data.sharding import make_data_set
from siamese.data.shards import read_shards
from siamese.testing.laws import MICRO_BATCHES, RESUMED, SAVED, LawBroken


def check_format(format: Format, path: str | Path) -> None:
    """Check an input format by the laws that concern it.

    Args:
        format: the format.
        path: a file of some groups, or of labelled pairs of both labels, each of them another.

    Raises:
        LawBroken: names the law and the first group or pair that differs.
        ValueError: the file holds nothing.
    """
    ranges_equal_whole(format, path)
    resumed_equals_unbroken(format, path)
    saved_equals_loaded(format, path)


def ranges_equal_whole(format: Format, path: str | Path) -> None:
    """Require that a file of groups, read in ranges of any size, holds what it holds as a whole.

    Raises:
        LawBroken: a group is missing, is there twice or is cut, or the ranges leave out bytes.
    """
    file = _file(format, path)
    if format.holds(file) == "pairs":
        return  # read as a whole always
    whole = list(format.groups(file))
    for size in sorted({1, 2, 7, 30, 100, file.size() - 1, file.size(), file.size() + 1}):
        ranges = format.ranges(file, max(size, 1))
        parts = [group for range_ in ranges for group in format.groups(file, range_)]
        _require_same(MICRO_BATCHES, parts, whole, f"in ranges of {size} bytes, ")


def resumed_equals_unbroken(format: Format, path: str | Path) -> None:
    """Require that a file reads the same a second time, and after a reader that stopped early.

    Raises:
        LawBroken: it does not.
    """
    file = _file(format, path)
    rows = format.pair_rows if format.holds(file) == "pairs" else format.groups
    once = list(rows(file))
    next(iter(rows(file)))
    _require_same(RESUMED, list(rows(file)), once, "the second time, ")


def saved_equals_loaded(format: Format, path: str | Path) -> None:
    """Require that a data set made of the file holds the groups that were read.

    It is made by a copy of the format, as it would be on another machine.

    Raises:
        LawBroken: it holds others.
    """
    read = list(read_groups([str(path)], ReadingCounts(), format))
    with tempfile.TemporaryDirectory(prefix="siamese-format-") as folder:
        make_data_set([str(path)], Path(folder) / "data", format=copy.deepcopy(format))
        data, *_ = read_shards(Path(folder) / "data")
        _require_same(SAVED, _by_content(data.groups), _by_content(read), "as shards, ")


def _file(format: Format, path: str | Path) -> DataFile:
    [(file, _)] = find_inputs([str(path)], format)
    rows: Any = format.pair_rows if format.holds(file) == "pairs" else format.groups
    if not any(True for _ in rows(file)):
        raise ValueError(f"{path} holds nothing: there is nothing to check")
    return file


def _by_content(groups: Any) -> list[Group]:
    """Sort groups, texts, negatives and pairs: a data set deals groups out."""
    sets = [
        Group(
            group.id,
            tuple(sorted(group.texts)),
            tuple(sorted(group.negatives)),
            tuple(sorted(group.pairs, key=lambda pair: (pair.text1, pair.text2))),
        )
        for group in groups
    ]
    return sorted(sets, key=lambda group: (group.id, group.texts))


def _require_same(law: str, found: list, expected: list, how: str) -> None:
    if len(found) != len(expected):
        raise LawBroken(law, f"{how}{len(found)} are read, not {len(expected)}")
    for number, (wrong, right) in enumerate(zip(found, expected, strict=True)):
        if wrong != right:
            raise LawBroken(law, f"{how}number {number} is {wrong}, not {right}")
