"""Sorted runs: what a piece of the input becomes before groups are dealt to shards.

A run is an Arrow file of groups in the order of a seeded hash of their ids, those of one text last.
Any stretch of the order of all groups is one slice of every run, sorted together: so shards of
exactly equal size can be written from more groups than fit in memory (an external merge sort).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.shards import SCHEMA
from siamese.data.splitting import Piece, read_piece
from siamese.storage.folder import Folder

# The bit of a key that puts groups of one text behind all others.
_LONE = np.uint64(1 << 63)
_RUN_SCHEMA = pa.schema([("key", pa.uint64()), *SCHEMA])
# Bytes of a run at most, about: it is sorted in memory.
RUN_BYTES = 64 << 20
# Groups of a run that are read at a time: a slice of one that is not local reads few others.
_BATCH_ROWS = 1024


def write_runs(number: int, piece: Piece, scratch: Folder, seed: int) -> dict[str, Any]:
    """Read a piece of the input and write its groups as sorted runs.

    Doing it again writes the same files.

    Args:
        number: of the piece, for the names of the runs.
        piece: the piece.
        scratch: where runs go.
        seed: of the hash that orders the groups.

    Returns:
        `bytes`: of all runs; `keys`: those of the runs, one after another, each run sorted
        (uint64); `summary`: JSON of `runs` ({name: groups}), `counts` and `characters` as in
        `ReadingCounts`, and `texts_by_length` (a list) and `negatives` of the groups that are kept.

    Raises:
        UserError: the piece cannot be used.
    """
    counts = ReadingCounts()
    lengths = np.zeros(1, np.int64)
    negatives = size = total = 0
    runs: dict[str, int] = {}
    keys: list[bytes] = []
    gathered: list[pa.RecordBatch] = []

    def finish_run() -> None:
        name = f"{number:05}-{len(runs):05}.arrow"
        run = _sorted(pa.Table.from_batches(gathered))
        with scratch.saving(name, scratch) as path, pa.ipc.new_file(path, _RUN_SCHEMA) as writer:
            writer.write_table(run, max_chunksize=_BATCH_ROWS)
        runs[name] = len(run)
        keys.append(_keys(run).tobytes())

    for groups in read_piece(piece, counts):
        if not groups:
            continue
        gathered.append(_record_batch(groups, seed))
        own = np.bincount(pc.utf8_length(gathered[-1]["texts"].values).to_numpy())
        negatives += len(gathered[-1]["negatives"].values)
        if len(own) > len(lengths):
            lengths, own = own, lengths
        lengths[: len(own)] += own
        size += gathered[-1].nbytes
        if size >= RUN_BYTES:
            finish_run()
            total, size, gathered = total + size, 0, []
    if gathered:
        finish_run()
    summary = {
        "runs": runs,
        "counts": counts.as_dict(),
        "characters": counts.characters,
        "texts_by_length": lengths.tolist(),
        "negatives": negatives,
    }
    return {
        "bytes": total + size,
        "keys": b"".join(keys),
        "summary": json.dumps(summary),
    }


def _record_batch(groups: Sequence[Group], seed: int) -> pa.RecordBatch:
    salt = seed.to_bytes(8, "little")
    digests = [
        hashlib.blake2b(group.id.encode(), digest_size=8, salt=salt).digest() for group in groups
    ]
    keys = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64) >> np.uint64(1)
    keys[[len(group.texts) == 1 for group in groups]] |= _LONE
    columns = [
        pa.array(keys),
        pa.array([group.id for group in groups], pa.string()),
        _lists([group.texts for group in groups]),
        _lists([group.negatives for group in groups]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_RUN_SCHEMA)


def _lists(lists: list[tuple[str, ...]]) -> pa.ListArray:
    ends = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, lists), np.int32, len(lists)), out=ends[1:])
    flat = pa.array(list(chain.from_iterable(lists)), pa.string())
    return pa.ListArray.from_arrays(pa.array(ends), flat)


def _keys(table: pa.Table) -> np.ndarray:
    return table["key"].combine_chunks().to_numpy()


def _sorted(table: pa.Table, first: int = 0, rows: int | None = None) -> pa.Table:
    """Rows `first` to `first + rows` of the table in the order of (key, id), in one chunk."""
    [batch] = table.combine_chunks().to_batches()
    keys = batch["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    if (np.diff(keys[order]) == 0).any():
        ids, numbers = batch["group_id"].to_pylist(), keys.tolist()
        order = np.array(sorted(range(len(ids)), key=lambda i: (numbers[i], ids[i])))
    end = None if rows is None else first + rows
    return pa.Table.from_batches([batch.take(pa.array(order[first:end]))])


@dataclass(frozen=True)
class Stretch:
    """A stretch of the order of all groups.

    It is rows `starts[r]` to `ends[r]` of each run r, sorted together, and of these `rows` from
    `skip` on: several ids may have one key where the stretch begins or ends.
    """

    starts: np.ndarray
    ends: np.ndarray
    skip: int
    rows: int


def plan_shards(
    keys: Sequence[np.ndarray], rows_per_shard: int, stretch_rows: int
) -> list[list[Stretch]]:
    """Deal all groups to shards whose sizes differ by at most one.

    Args:
        keys: those of each run, sorted.
        rows_per_shard: groups in a shard, at most.
        stretch_rows: groups that are sorted in memory at a time, at most.

    Returns:
        The stretches of each shard.
    """
    ordered = np.sort(np.concatenate(keys))
    shards = -(-len(ordered) // rows_per_shard)
    cuts = [number * len(ordered) // shards for number in range(shards + 1)]
    firsts, lasts, of_shard = [], [], []
    for number in range(shards):
        for first in range(cuts[number], cuts[number + 1], stretch_rows):
            firsts.append(first)
            lasts.append(min(first + stretch_rows, cuts[number + 1]) - 1)
            of_shard.append(number)
    low, high = ordered[firsts], ordered[lasts]
    starts = np.stack([np.searchsorted(run, low, "left") for run in keys], axis=1)
    ends = np.stack([np.searchsorted(run, high, "right") for run in keys], axis=1)
    skips = np.array(firsts) - np.searchsorted(ordered, low, "left")
    planned: list[list[Stretch]] = [[] for _ in range(shards)]
    for i, number in enumerate(of_shard):
        rows = lasts[i] - firsts[i] + 1
        planned[number].append(Stretch(starts[i], ends[i], int(skips[i]), rows))
    return planned


def read_stretch(scratch: Folder, runs: Sequence[str], stretch: Stretch) -> pa.Table:
    """The groups of a stretch, in order: a table of `SCHEMA` in one chunk."""
    batches: list[pa.RecordBatch] = []
    for name, start, end in zip(runs, stretch.starts, stretch.ends, strict=True):
        if start < end:
            batches += _read_rows(scratch, name, int(start), int(end))
    table = _sorted(pa.Table.from_batches(batches), stretch.skip, stretch.rows)
    return table.select(SCHEMA.names)


def _read_rows(scratch: Folder, name: str, start: int, end: int) -> list[pa.RecordBatch]:
    with scratch.open_arrow(name) as source:
        run = pa.ipc.open_file(source)
        first, last = start // _BATCH_ROWS, (end - 1) // _BATCH_ROWS
        batches = [run.get_batch(number) for number in range(first, last + 1)]
    offset = first * _BATCH_ROWS
    batches[-1] = batches[-1].slice(0, end - last * _BATCH_ROWS)
    batches[0] = batches[0].slice(start - offset)
    return batches


def repeated_id(scratch: Folder, keys: dict[str, np.ndarray]) -> tuple[str, int] | None:
    """An id that several groups have, and how many more there are; None: every id is distinct.

    Args:
        scratch: where the runs are.
        keys: the sorted keys of each run.
    """
    ordered = np.sort(np.concatenate(list(keys.values())) & ~_LONE)
    same = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    # Two ids may have one key, if rarely: it is the ids that count.
    for key in same:
        seen: set[str] = set()
        for (name, own), either in product(keys.items(), (key, key | _LONE)):
            start, end = np.searchsorted(own, either, "left"), np.searchsorted(own, either, "right")
            for batch in _read_rows(scratch, name, int(start), int(end)) if start < end else ():
                for group_id in batch["group_id"].to_pylist():
                    if group_id in seen:
                        return group_id, len(same) - 1
                    seen.add(group_id)
    return None
