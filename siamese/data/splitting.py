"""Inputs cut into pieces of about equal size, each of which can be read on its own.

A JSON Lines file is cut into byte ranges, Parquet into ranges of row groups; small files share a
piece; a `.json` file is one object and so one piece. All labelled pairs are one piece, the last:
joining them into groups needs every one of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count

import pyarrow.parquet as pq

from siamese.data.cleaning import ReadingCounts, cleaned
from siamese.data.data_file import DataFile, find_files, reading_parquet
from siamese.data.formats.groups import read_group_file
from siamese.data.formats.pairs import is_pair_file, read_pair_file
from siamese.data.group import Group
from siamese.data.joining import join_pairs
from siamese.errors import UserError


@dataclass(frozen=True)
class Part:
    """A file, or a range of one: of bytes in JSON Lines, of row groups in Parquet.

    Attributes:
        file: the file.
        prefix: of the ids of its groups.
        size: bytes, about.
        start: where the range begins.
        end: where it ends; None: with the file.
    """

    file: DataFile
    prefix: str
    size: int
    start: int = 0
    end: int | None = None


@dataclass(frozen=True)
class Piece:
    """Parts that are read one after another, or all files of labelled pairs together."""

    parts: tuple[Part, ...]
    pairs: bool = False

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(part.size for part in self.parts)


def plan_pieces(inputs: list[str], piece_bytes: int) -> list[Piece]:
    """Cut inputs into pieces, in the order of the inputs.

    Group ids are prefixed with the file's name when several files are read, so that they stay
    distinct; those of joined pairs with `pairs/` when other files are read too.

    Args:
        inputs: files, globs, folders or URIs.
        piece_bytes: the size of a piece, about.

    Raises:
        UserError: an input is missing or empty, or Parquet that is damaged.
    """
    files = find_files(inputs)
    pair_files = [file for file in files if is_pair_file(file)]
    taken = {"pairs"}
    parts: list[Part] = []
    for file in files:
        if file not in pair_files:
            prefix = f"{_distinct(file.stem, taken)}/" if len(files) > 1 else ""
            parts += _parts(file, prefix, piece_bytes)
    pieces: list[Piece] = []
    for part in parts:
        if pieces and pieces[-1].size + part.size <= piece_bytes:
            pieces[-1] = Piece((*pieces[-1].parts, part))
        else:
            pieces.append(Piece((part,)))
    if pair_files:
        prefix = "pairs/" if pair_files != files else ""
        pairs = tuple(Part(file, prefix, file.size()) for file in pair_files)
        pieces.append(Piece(pairs, pairs=True))
    return pieces


def _distinct(name: str, taken: set[str]) -> str:
    """The name, or the first of name-2, name-3, … that is not taken; it then is."""
    others = (f"{name}-{number}" for number in count(2))
    found = next(n for n in chain([name], others) if n not in taken)
    taken.add(found)
    return found


def _parts(file: DataFile, prefix: str, piece_bytes: int) -> Iterator[Part]:
    size = file.size()
    if file.suffix == ".jsonl" and size > piece_bytes:
        for start in range(0, size, piece_bytes):
            end = min(start + piece_bytes, size)
            yield Part(file, prefix, end - start, start, end)
    elif file.suffix == ".parquet" and size > piece_bytes:
        with reading_parquet(file), file.open() as stream:
            metadata = pq.read_metadata(stream)
        start = gathered = 0
        for number in range(metadata.num_row_groups):
            gathered += metadata.row_group(number).total_byte_size
            if gathered >= piece_bytes or number == metadata.num_row_groups - 1:
                yield Part(file, prefix, gathered, start, number + 1)
                start, gathered = number + 1, 0
    else:
        yield Part(file, prefix, size)


def read_piece(piece: Piece, counts: ReadingCounts) -> Iterator[list[Group]]:
    """Yield the groups of a piece that have two different texts or more, a batch at a time.

    Duplicate texts of a group are folded and groups of one text are dropped; both are counted in
    `counts`, as is every character read.

    Raises:
        UserError: a file is of another shape or encoding, or has an empty text.
    """
    if piece.pairs:
        names = ", ".join(str(part.file) for part in piece.parts)
        yield from _with_prefix(
            cleaned(_joined_pairs(piece, names, counts), names, counts), piece.parts[0].prefix
        )
        return
    for part in piece.parts:
        groups = read_group_file(part.file, part.start, part.end)
        yield from _with_prefix(cleaned(groups, part.file, counts), part.prefix)


def _with_prefix(batches: Iterator[list[Group]], prefix: str) -> Iterator[list[Group]]:
    for batch in batches:
        yield [Group(prefix + g.id, g.texts, g.negatives) for g in batch] if prefix else batch


def _joined_pairs(piece: Piece, names: str, counts: ReadingCounts) -> Iterator[Group]:
    joined = join_pairs(
        pair for part in piece.parts for pair in read_pair_file(part.file, empty_texts=False)
    )
    counts.pairs_read += joined.positive + joined.negative
    if not joined.positive:
        raise UserError(
            f"{names}: no positive pair (label 1) among {joined.negative:,}, so there is no group "
            "to train on. Check the label column."
        )
    counts.groups_read += joined.single
    counts.texts_read += joined.single
    counts.groups_of_one_text_dropped += joined.single
    counts.contradicting_negatives_dropped += joined.contradicting
    for number, (texts, negatives) in enumerate(joined.groups):
        yield Group(str(number), texts, negatives)
