"""Inputs -> a data set of Parquet shards, in two stages, each of which may run on many machines.

Pieces of the input become sorted runs (`sorted_runs.py`); each shard then is a stretch of the order
of all sorted runs together. What is written depends on the groups and the options alone, not on
pieces, workers or retries.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from siamese.data.format import Format
from siamese.data.shard_output import check_output, make_room, writing
from siamese.data.shards import ROW_GROUP, finish_data_set, write_shard
from siamese.data.sorted_runs import (
    SortedRuns,
    Stretch,
    find_repeated_id,
    plan_shards,
    read_stretch,
    write_sorted_runs,
)
from siamese.data.splitting import Piece, plan_pieces
from siamese.errors import UserError
from siamese.progress import progress
from siamese.storage.folder import Folder

# A piece becomes one sorted run, or few.
PIECE_BYTES = 32 << 20
# Groups that are sorted in memory at a time, and their bytes, about.
STRETCH_ROWS = 16 * ROW_GROUP
STRETCH_BYTES = 64 << 20
ROWS_PER_SHARD = 65536

Item = TypeVar("Item")


class Map(Protocol):
    """Applies a function to each of some items, in any processes."""

    def __call__(
        self, function: Callable[[Item], dict[str, Any]], items: Sequence[Item], /
    ) -> Iterator[dict[str, Any]]:
        """Yield what the function returns for each item, in the order of the items.

        The function may be called again for an item whose process died.

        Args:
            function: from an item to a row: names and integers, strings or bytes.
            items: what to apply it to.
        """


def map_here(pieces: Sequence[Piece]) -> Map:
    """Choose the builtin `map`, which works in this process, whatever the pieces."""
    return map


def make_data_set(
    inputs: list[str],
    output: str | Path,
    rows_per_shard: int = ROWS_PER_SHARD,
    seed: int = 1,
    fresh: bool = False,
    format: str | Format | None = None,
    choose_map: Callable[[Sequence[Piece]], Map] = map_here,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Read files and write a data set; nothing is left behind when reading fails.

    Args:
        inputs: files, globs, folders or URIs, in any format of `siamese.data.reading`.
        output: the data set's folder, local or a URI; must not exist unless `fresh`.
        rows_per_shard: groups in a shard, at most; the sizes of shards differ by at most one.
        seed: of the order in which groups are dealt to shards.
        fresh: replace a data set that is there.
        format: the format of all files: a name, or an object; None: their suffixes say it.
        choose_map: from the pieces of the input, chooses how a function is applied to each.
        encoding: of all text files, such as `gb18030`; None: the beginning of each says it.

    Returns:
        The manifest.

    Raises:
        UserError: an input cannot be used, or `output` is in the way.

    Example:
        >>> from siamese.data.sharding import make_data_set
        >>> manifest = make_data_set(["data/siamese/df_train.json"], "my-data")
        >>> manifest["counts"]["groups"]
        658
    """
    check_output(str(output), fresh)
    pieces = plan_pieces(inputs, PIECE_BYTES, format, encoding)
    apply = choose_map(pieces)
    name = ", ".join(inputs)
    return write_data_set(pieces, name, str(output), rows_per_shard, seed, fresh, apply)


def write_data_set(
    pieces: Sequence[Piece],
    name: str,
    output: str,
    rows_per_shard: int = ROWS_PER_SHARD,
    seed: int = 1,
    fresh: bool = False,
    apply: Map = map,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write the groups of pieces as a data set; see `make_data_set`.

    Args:
        pieces: of the input.
        name: of the input, for messages.
        output: as in `make_data_set`.
        rows_per_shard: groups in a shard, at most.
        seed: of the order in which groups are dealt to shards.
        fresh: replace a data set that is there.
        apply: applies a function to every piece and to every shard.
        options: further ones for the manifest to tell.
    """
    for piece in pieces:
        if piece.note:
            print(piece.note)
    with writing(output, fresh) as (folder, scratch):
        runs = _sort(pieces, scratch, seed, apply)
        _check_groups(runs, name, scratch)
        make_room(folder, scratch)
        files = _write_shards(runs, rows_per_shard, folder, scratch, apply)
        texts = sum(runs.texts_by_length.values())
        counts = {"groups": runs.groups, "texts": texts, "negatives": runs.negatives}
        counts["labelled_pairs"] = runs.labelled_pairs
        return finish_data_set(
            folder,
            scratch,
            files=files,
            characters=runs.characters,
            counts=counts | {"characters": len(runs.characters)} | dict(runs.counts),
            texts_by_length=runs.texts_by_length,
            options={"rows_per_shard": rows_per_shard, "seed": seed, **options},
        )


def _sort(pieces: Sequence[Piece], scratch: Folder, seed: int, apply: Map) -> SortedRuns:
    """Read every piece and write it as sorted runs."""
    runs = SortedRuns()
    done = 0
    with progress("reading", _mib(sum(piece.size for piece in pieces)), "MiB") as advance:
        results = apply(
            partial(_write_sorted_runs, scratch=scratch, seed=seed), list(enumerate(pieces))
        )
        for piece, result in zip(pieces, results, strict=True):
            runs.add(result)
            if read := _mib(done + piece.size) - _mib(done):
                advance(read, f"{runs.counts['texts_read']:,} texts")
            done += piece.size
    for note in runs.notes:
        print(note, file=sys.stderr, flush=True)
    return runs


def _write_shards(
    runs: SortedRuns, rows_per_shard: int, folder: Folder, scratch: Folder, apply: Map
) -> list[dict[str, Any]]:
    """Write every shard, and return their entries in the manifest."""
    mean = runs.bytes / runs.groups
    stretch_rows = max(int(STRETCH_BYTES / mean) // ROW_GROUP * ROW_GROUP, ROW_GROUP)
    planned = plan_shards(list(runs.keys.values()), rows_per_shard, min(stretch_rows, STRETCH_ROWS))
    files = []
    with progress("writing", runs.groups, "groups") as advance:
        write = partial(_write_shard, runs=list(runs.keys), folder=folder, scratch=scratch)
        for file in apply(write, list(enumerate(planned))):
            files.append(file)
            advance(file["rows"])
    return files


def _write_sorted_runs(piece: tuple[int, Piece], scratch: Folder, seed: int) -> dict[str, Any]:
    return write_sorted_runs(*piece, scratch, seed)


def _write_shard(
    shard: tuple[int, list[Stretch]], runs: list[str], folder: Folder, scratch: Folder
) -> dict[str, Any]:
    number, stretches = shard
    tables = (read_stretch(scratch, runs, stretch) for stretch in stretches)
    return write_shard(number, tables, folder, scratch)


def _check_groups(runs: SortedRuns, name: str, scratch: Folder) -> None:
    if not runs.groups:
        raise UserError(
            f"{name}: no group has two different texts ({runs.counts['groups_read']:,} groups "
            "read), so there is nothing to train on."
        )
    if repeated := find_repeated_id(scratch, runs.keys):
        group_id, others = repeated
        raise UserError(
            f"{name}: group {group_id!r} occurs more than once"
            + (f", as do {others:,} others" if others else "")
            + ". Merge the groups of one id, or give each an id of its own."
        )


def _mib(size: int) -> int:
    return size >> 20
