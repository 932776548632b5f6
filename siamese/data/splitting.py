"""Inputs cut into pieces of about equal size, each of which can be read on its own.

A file of groups is cut into the ranges that its format offers; small files share a piece. All
labelled pairs are one piece, the last: joining them into groups needs every one of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import PurePosixPath
from typing import Protocol

from siamese.data.cleaning import ReadingCounts, cleaned
from siamese.data.data_file import DataFile
from siamese.data.format import FileRange, Format, find_inputs
from siamese.data.grades import to_pairs
from siamese.data.group import Group
from siamese.data.joining import joined_groups


class Piece(Protocol):
    """A stretch of the input that is read on its own, and becomes a sorted run or few."""

    @property
    def size(self) -> int:
        """Return the number of bytes, about."""

    @property
    def note(self) -> str:
        """Return what to say before it is read; may be empty."""

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        """Yield the groups of two different texts or more, or with negatives or pairs, in batches.

        Duplicate texts of a group are folded and other groups of one text are dropped; all is
        counted in `counts`, as is every character read.

        Raises:
            UserError: the input is of another shape or encoding, or has an empty text.
        """


@dataclass(frozen=True)
class GroupRange:
    """A range of a file of groups.

    Attributes:
        file: the file.
        format: reads it.
        range_: which range.
        prefix: of the ids of its groups.
    """

    file: DataFile
    format: Format
    range_: FileRange
    prefix: str

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        """Yield groups as `Piece.read` does."""
        groups = self.format.groups(self.file, self.range_)
        return _with_prefix(cleaned(groups, self.file, counts), self.prefix)


@dataclass(frozen=True)
class GroupRanges:
    """Ranges of files of groups, read one after another."""

    ranges: tuple[GroupRange, ...]
    note = ""

    @property
    def size(self) -> int:
        """Return the number of bytes, about."""
        return sum(each.range_.size for each in self.ranges)

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        """Yield groups as `Piece.read` does."""
        for each in self.ranges:
            yield from each.read(counts)


@dataclass(frozen=True)
class PairFiles:
    """All files of labelled pairs, joined into groups together.

    Attributes:
        files: each file and its format.
        prefix: of the ids of the groups.
    """

    files: tuple[tuple[DataFile, Format], ...]
    prefix: str

    @property
    def size(self) -> int:
        """Return the number of bytes, about."""
        return sum(file.size() for file, _ in self.files)

    @property
    def note(self) -> str:
        """Say that memory is needed."""
        return (
            f"joining the labelled pairs of {len(self.files):,} "
            f"file{'s' * (len(self.files) != 1)} ({self.size / 2**20:,.1f} MiB) into groups: "
            "this holds them in memory"
        )

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        """Yield groups as `Piece.read` does."""
        names = ", ".join(str(file) for file, _ in self.files)
        pairs = chain.from_iterable(
            to_pairs(format.pair_rows(file), str(file), empty_texts=False, tell=counts.notes.append)
            for file, format in self.files
        )
        return _with_prefix(
            cleaned(joined_groups(pairs, names, counts), names, counts), self.prefix
        )


@dataclass(frozen=True)
class GroupsInMemory:
    """A `Piece` of groups that a program holds.

    Attributes:
        name: of them, for messages.
        groups: each is yielded once.
    """

    name: str
    groups: Iterable[Group]
    size = 0
    note = ""

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        """Yield groups as `Piece.read` does."""
        return cleaned(iter(self.groups), self.name, counts)


def plan_pieces(
    inputs: list[str],
    piece_bytes: int,
    format: str | Format | None = None,
    encoding: str | None = None,
) -> list[Piece]:
    """Cut inputs into pieces, in the order of the inputs.

    Group ids are prefixed with the file's name when several files are read, so that they stay
    distinct; those of joined pairs with `pairs/` when other files are read too. The shards of a
    data set count as one file, named as its folder.

    Args:
        inputs: files, globs, folders or URIs.
        piece_bytes: the size of a piece, about.
        format: as in `find_inputs`.
        encoding: as in `find_inputs`.

    Raises:
        UserError: an input is missing or empty, of an unknown kind, or Parquet that is damaged.
    """
    files = find_inputs(inputs, format, encoding)
    pair_files = tuple(each for each in files if each[1].holds(each[0]) == "pairs")
    several = len({file.data_set or file for file, _ in files}) > 1
    taken = {"pairs"}
    of_data_sets: dict[str, str] = {}
    pieces: list[GroupRanges] = []
    for file, own_format in files:
        if (file, own_format) in pair_files:
            continue
        prefix = of_data_sets.get(file.data_set, "")
        if several and not prefix:
            name = PurePosixPath(file.data_set).name if file.data_set else file.stem
            prefix = f"{_distinct(name, taken)}/"
        if file.data_set:
            of_data_sets[file.data_set] = prefix
        for found in own_format.ranges(file, piece_bytes):
            group_range = GroupRange(file, own_format, found, prefix)
            if pieces and pieces[-1].size + found.size <= piece_bytes:
                pieces[-1] = GroupRanges((*pieces[-1].ranges, group_range))
            else:
                pieces.append(GroupRanges((group_range,)))
    if not pair_files:
        return list(pieces)
    return [*pieces, PairFiles(pair_files, "pairs/" if len(pair_files) < len(files) else "")]


def _distinct(name: str, taken: set[str]) -> str:
    """Return the name, or the first of name-2, name-3, … that is not taken; it then is."""
    others = (f"{name}-{number}" for number in count(2))
    found = next(n for n in chain([name], others) if n not in taken)
    taken.add(found)
    return found


def _with_prefix(batches: Iterator[list[Group]], prefix: str) -> Iterator[list[Group]]:
    for batch in batches:
        yield [replace(g, id=prefix + g.id) for g in batch] if prefix else batch
