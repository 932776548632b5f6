"""Sorted runs: what a piece of the input becomes before groups are dealt to shards.

A sorted run is an Arrow file of groups in the order of a seeded hash of their ids, single-text
groups last, and of these those without negatives. Any stretch of the order of all groups is one
slice of every sorted run, sorted together: so shards of exactly equal size can be written from more
groups than fit in memory (an external merge sort).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.group_columns import SCHEMA, columns_of
from siamese.data.splitting import Piece
from siamese.storage.folder import Folder

# The bits of a key that put single-text groups behind all others, and what has no negatives either
# behind these.
_SINGLE_TEXT, _PAIRS_ONLY = np.uint64(1 << 63), np.uint64(1 << 62)
_LAST = (np.uint64(0), _SINGLE_TEXT, _SINGLE_TEXT | _PAIRS_ONLY)
_RUN_SCHEMA = pa.schema([("key", pa.uint64()), *SCHEMA])
# Bytes of a sorted run at most, about: it is sorted in memory.
RUN_BYTES = 64 << 20
# Groups of a sorted run that are read at a time: a slice of one that is not local reads few others.
_BATCH_ROWS = 1024


def write_sorted_runs(number: int, piece: Piece, scratch: Folder, seed: int) -> dict[str, Any]:
    """Read a piece of the input and write its groups as sorted runs.

    Doing it again writes the same files.

    Args:
        number: of the piece, for the names of the sorted runs.
        piece: the piece.
        scratch: where sorted runs go.
        seed: of the hash that orders the groups.

    Returns:
        What `SortedRuns.add` takes, in a row that Ray Data can carry.

    Raises:
        UserError: the piece cannot be used.
    """
    counts = ReadingCounts()
    texts_by_length: Counter[int] = Counter()
    runs: dict[str, int] = {}
    keys: list[bytes] = []
    size = negatives = pairs = 0
    for gathered in _tables(piece, counts, seed):
        name = f"{number:05}-{len(runs):05}.arrow"
        table = _sorted(gathered)
        with scratch.saving(name, scratch) as path, pa.ipc.new_file(path, _RUN_SCHEMA) as writer:
            writer.write_table(table, max_chunksize=_BATCH_ROWS)
        [run] = table.to_batches()
        runs[name] = len(run)
        keys.append(run["key"].to_numpy().tobytes())
        size += run.nbytes
        negatives += len(run["negatives"].values)
        pairs += len(run["pairs"].values)
        lengths = np.bincount(pc.utf8_length(run["texts"].values).to_numpy())
        texts_by_length.update(dict(enumerate(lengths.tolist())))
    summary = {
        "runs": runs,
        "counts": counts.as_dict(),
        "characters": counts.characters,
        "texts_by_length": texts_by_length,
        "negatives": negatives,
        "labelled_pairs": pairs,
        "notes": counts.notes,
    }
    return {"bytes": size, "keys": b"".join(keys), "summary": json.dumps(summary)}


def _tables(piece: Piece, counts: ReadingCounts, seed: int) -> Iterator[pa.Table]:
    """Yield the groups of a piece, as many at a time as make a sorted run."""
    gathered: list[pa.RecordBatch] = []
    size = 0
    for groups in piece.read(counts):
        if not groups:
            continue
        gathered.append(_record_batch(groups, seed))
        size += gathered[-1].nbytes
        if size >= RUN_BYTES:
            yield pa.Table.from_batches(gathered)
            gathered, size = [], 0
    if gathered:
        yield pa.Table.from_batches(gathered)


def _record_batch(groups: Sequence[Group], seed: int) -> pa.RecordBatch:
    salt = seed.to_bytes(8, "little")
    digests = [
        hashlib.blake2b(group.id.encode(), digest_size=8, salt=salt).digest() for group in groups
    ]
    keys = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64) >> np.uint64(2)
    keys |= np.array([_LAST[_kind(group)] for group in groups])
    return pa.RecordBatch.from_arrays([pa.array(keys), *columns_of(groups)], schema=_RUN_SCHEMA)


def _kind(group: Group) -> int:
    """Return 0 for several texts, 1 for one text with negatives, 2 for one without."""
    return 0 if len(group.texts) > 1 else 1 if group.negatives else 2


def _sorted(table: pa.Table, first: int = 0, rows: int | None = None) -> pa.Table:
    """Return rows `first` to `first + rows` of a table in the order of (key, id), in one chunk."""
    [batch] = table.combine_chunks().to_batches()
    keys = batch["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    if (np.diff(keys[order]) == 0).any():
        ids, numbers = batch["group_id"].to_pylist(), keys.tolist()
        order = np.array(sorted(range(len(ids)), key=lambda i: (numbers[i], ids[i])))
    end = None if rows is None else first + rows
    return pa.Table.from_batches([batch.take(pa.array(order[first:end]))])


class SortedRuns:
    """The sorted runs of all pieces, and what was counted while the pieces were read.

    Attributes:
        keys: the sorted keys of each sorted run, by its name, uint64 `[groups]`.
        counts: as in `ReadingCounts`.
        characters: how often each character was read.
        texts_by_length: how many texts have so many characters.
        negatives: the number of hard negatives.
        labelled_pairs: the number of labelled pairs.
        notes: what the user should know of the files, a line each.
        bytes: of all sorted runs, about.
    """

    def __init__(self) -> None:
        self.keys: dict[str, np.ndarray] = {}
        self.counts: Counter[str] = Counter()
        self.characters: Counter[str] = Counter()
        self.texts_by_length: Counter[int] = Counter()
        self.negatives = self.labelled_pairs = self.bytes = 0
        self.notes: list[str] = []

    @property
    def groups(self) -> int:
        """Return the number of groups."""
        return sum(map(len, self.keys.values()))

    def add(self, written: dict[str, Any]) -> None:
        """Add what `write_sorted_runs` returned for a piece."""
        summary = json.loads(written["summary"])
        keys = np.frombuffer(written["keys"], np.uint64)
        for name, groups in summary["runs"].items():
            self.keys[name], keys = keys[:groups], keys[groups:]
        self.counts.update(summary["counts"])
        self.characters.update(summary["characters"])
        self.texts_by_length.update({int(n): c for n, c in summary["texts_by_length"].items()})
        self.negatives += summary["negatives"]
        self.labelled_pairs += summary["labelled_pairs"]
        self.notes += summary["notes"]
        self.bytes += written["bytes"]


@dataclass(frozen=True)
class Stretch:
    """A stretch of the order of all groups.

    It is rows `starts[r]` to `ends[r]` of each sorted run r, sorted together, and of these `rows`
    from `skip` on: several ids may have one key where the stretch begins or ends.
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
        keys: those of each sorted run.
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
    """Read the groups of a stretch, in order: a table of `SCHEMA` in one chunk."""
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


def find_repeated_id(scratch: Folder, keys: dict[str, np.ndarray]) -> tuple[str, int] | None:
    """Find an id that several groups have, and how many more there are; None: all are distinct.

    Args:
        scratch: where the sorted runs are.
        keys: the sorted keys of each sorted run.
    """
    ordered = np.sort(np.concatenate(list(keys.values())) & ~_LAST[-1])
    same = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    # Two ids may have one key, if rarely: it is the ids that count.
    for key in same:
        seen: set[str] = set()
        for (name, own), last in product(keys.items(), _LAST):
            start, end = (np.searchsorted(own, key | last, side) for side in ("left", "right"))
            for batch in _read_rows(scratch, name, int(start), int(end)) if start < end else ():
                for group_id in batch["group_id"].to_pylist():
                    if group_id in seen:
                        return group_id, len(same) - 1
                    seen.add(group_id)
    return None
