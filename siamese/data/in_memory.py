"""Groups and labelled pairs that a Python program holds, in the place of files.

They are read like a file's, by the same checks, so that the same groups give the same data set.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from siamese.data.cleaning import ReadingCounts, cleaned
from siamese.data.grades import PairRow, to_pairs
from siamese.data.group import Group, checked_group, find_group_columns, shorten
from siamese.data.joining import joined_groups
from siamese.data.pair import Pair, require_both_labels
from siamese.data.pair_columns import PairColumns, checked_columns, holds_pairs
from siamese.data.reading import read_pairs
from siamese.data.sharding import make_data_set, write_data_set
from siamese.data.shards import FIRST_SHARD, MANIFEST
from siamese.data.splitting import GroupsInMemory
from siamese.errors import UserError
from siamese.storage.folder import Folder

ACCEPTED = (
    "Accepted are {id: [text, …]}, a list of lists of texts, a list of (text1, text2, label), a "
    "pandas frame of groups (id, texts) or of labelled pairs (text1, text2, label), and paths"
)


def data_set_of(groups: Any, folder: str | Path, fresh: bool = False) -> str:
    """Make a data set of whatever holds groups, unless it is one already.

    Args:
        groups: `{id: [text, …]}`; a list (or other iterable) of lists of texts, of `Group`s, of
            `Pair`s or of `(text1, text2, label)`; a pandas frame of groups (`id` or `group_id`,
            `texts`) or of labelled pairs (named as in the header of a file); a path, a URI or a
            list of them; or the folder of a data set.
        folder: where to write the data set, local or a URI.
        fresh: replace a data set that is there.

    Returns:
        Where the data set is: `folder`, or `groups` if that is a data set.

    Raises:
        UserError: the groups cannot be used; names the group or the row.
    """
    output = str(folder)
    if paths := _paths(groups):
        # Shards without a manifest are no input: whoever opens them says that it is missing.
        if len(paths) == 1 and {MANIFEST, FIRST_SHARD} & set(Folder(paths[0]).names()):
            return paths[0]
        make_data_set(paths, output, fresh=fresh)
        return output
    piece = _piece(groups, "groups")
    write_data_set([piece], piece.name, output, fresh=fresh)
    return output


def pairs_of(dev: Any) -> list[Pair]:
    """Return the labelled pairs of whatever holds them, to evaluate an encoder on.

    Args:
        dev: a list of `Pair`s or of `(text1, text2, label)`; a pandas frame of labelled pairs; or a
            path, a URI or a list of them.

    Raises:
        UserError: they cannot be used, or are not of both labels; names the row.
    """
    if paths := _paths(dev):
        return read_pairs(paths)
    piece = _piece(dev, "dev")
    if not isinstance(piece, _PairsInMemory):
        raise UserError(
            "dev: holds groups, where labelled pairs are expected. Give a list of (text1, text2, "
            "label), or a pandas frame with these columns."
        )
    tell = partial(print, file=sys.stderr, flush=True)
    pairs = list(to_pairs(piece.rows, piece.name, tell=tell))
    require_both_labels(pairs, piece.name)
    return pairs


@dataclass(frozen=True)
class _PairsInMemory:
    """A `splitting.Piece` of labelled pairs."""

    name: str
    rows: Iterator[PairRow]
    size = 0
    note = ""

    def read(self, counts: ReadingCounts) -> Iterator[list[Group]]:
        pairs = to_pairs(self.rows, self.name, empty_texts=False, tell=counts.notes.append)
        return cleaned(joined_groups(pairs, self.name, counts), self.name, counts)


def _paths(source: Any) -> list[str]:
    """Return the paths and URIs that this is; an empty list: it is something else."""
    if isinstance(source, str | Path):
        return [str(source)]
    if isinstance(source, list | tuple) and all(isinstance(each, str | Path) for each in source):
        return [str(path) for path in source]
    return []


def _piece(source: Any, name: str) -> GroupsInMemory | _PairsInMemory:
    """Find out what an object holds.

    Args:
        source: anything but paths.
        name: of it, for messages.
    """
    if isinstance(source, pd.DataFrame):
        columns = [str(column) for column in source.columns]
        if holds_pairs(columns):
            return _PairsInMemory(name, _pairs_of_frame(source, columns, name))
        return GroupsInMemory(name, _groups_of_frame(source, columns, name))
    if isinstance(source, Mapping):
        groups = (checked_group(str(key), texts, (), lambda: name) for key, texts in source.items())
        return GroupsInMemory(name, groups)
    if not isinstance(source, Iterable):
        raise UserError(f"{name}: cannot be read from {shorten(source)}. {ACCEPTED}.")
    items = iter(source)
    first = next(items, None)
    if first is None:
        raise UserError(f"{name}: holds nothing. {ACCEPTED}.")
    items = chain([first], items)
    if isinstance(first, Pair) or (_is_triple(first) and not isinstance(first[2], str)):
        return _PairsInMemory(name, _pairs_of_items(items, name))
    return GroupsInMemory(name, _groups_of_items(items, name))


def _is_triple(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 3


def _groups_of_items(items: Iterable[Any], name: str) -> Iterator[Group]:
    for number, item in enumerate(items):
        if isinstance(item, Group):
            yield checked_group(item.id, item.texts, item.negatives, lambda: name, item.pairs)
        elif isinstance(item, list | tuple):
            yield checked_group(str(number), item, (), lambda: name)
        else:
            raise UserError(f"{name}[{number}]: expected a list of texts, found {shorten(item)}.")


def _pairs_of_items(items: Iterable[Any], name: str) -> Iterator[PairRow]:
    columns = PairColumns((0, 1, 2), ("text1", "text2", "grade_0_to_1"))
    for number, item in enumerate(items):
        where = f"{name}[{number}]"
        if isinstance(item, Pair):
            item = (item.text1, item.text2, item.grade)
        elif not _is_triple(item):
            raise UserError(f"{where}: expected (text1, text2, label), found {shorten(item)}.")
        yield from columns.rows(where, [_plain(value) for value in item])


def _groups_of_frame(frame: pd.DataFrame, columns: list[str], name: str) -> Iterator[Group]:
    group_id, texts, *more = find_group_columns(columns, name)

    def where() -> str:
        return f"{name}, row {row}"

    for row, *cells in frame.itertuples(name=None):  # noqa: B007
        negatives, pairs = (() if p is None else _or_nothing(_plain(cells[p])) for p in more)
        yield checked_group(str(cells[group_id]), _plain(cells[texts]), negatives, where, pairs)


def _or_nothing(value: Any) -> Any:
    """Return a list that a cell holds, or an empty one if the value is missing."""
    return () if value is None or isinstance(value, float) else value


def _plain(value: Any) -> Any:
    """Return a value of numpy as one of Python."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _pairs_of_frame(frame: pd.DataFrame, columns: list[str], name: str) -> Iterator[PairRow]:
    found = checked_columns(columns, name)
    for row, *cells in frame.itertuples(name=None):
        yield from found.rows(f"{name}, row {row}", [_plain(cell) for cell in cells])
