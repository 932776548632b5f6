"""`siamese shard`: any accepted input -> a data set of Parquet shards, in two stages on Ray Data.

Pieces of the input become runs sorted by a seeded hash of the groups' ids (`runs.py`); each shard
then is a stretch of the order of all runs together. What is written depends on the groups and the
options alone, not on pieces, workers or retries.
"""

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from distributed.cluster.connect import connect
from distributed.sharding.ray_map import each
from siamese.data.cleaning import ReadingCounts
from siamese.data.shard_output import check_output, make_room, writing
from siamese.data.shards import ROW_GROUP, finish_data_set, write_part
from siamese.data.sorted_runs import Stretch, plan_shards, read_stretch, repeated_id, write_runs
from siamese.data.splitting import Piece, plan_pieces
from siamese.errors import UserError
from siamese.progress import progress
from siamese.storage.folder import Folder

# A piece becomes one run, or few.
PIECE_BYTES = 32 << 20
# So much is done in this process before two workers would have caught up: Ray and Ray Data take
# 8 s to start.
BYTES_WITHOUT_RAY = 128 << 20
# Only what stages return goes through Ray's object store, and that is little.
OBJECT_STORE_BYTES = 256 << 20
# Groups that are sorted in memory at a time, and their bytes, about.
STRETCH_ROWS = 16 * ROW_GROUP
STRETCH_BYTES = 64 << 20


def shard(
    inputs: list[str],
    output: str | Path,
    rows_per_shard: int = 65536,
    seed: int = 1,
    fresh: bool = False,
) -> dict[str, Any]:
    """Read all inputs and write a data set; nothing is left behind when reading fails.

    Args:
        inputs: files, globs, folders or URIs, in any format of `siamese.data.reading`.
        output: the data set's folder, local or a URI; must not exist unless `fresh`.
        rows_per_shard: groups in a shard, at most; the sizes of shards differ by at most one.
        seed: of the order in which groups are dealt to shards.
        fresh: replace a data set that is there.

    Returns:
        The manifest.

    Raises:
        UserError: an input cannot be used, or `output` is in the way.
    """
    check_output(str(output), fresh)
    pieces = plan_pieces(inputs, PIECE_BYTES)
    _say_pairs(pieces)
    use_ray = len(pieces) > 1 and sum(piece.size for piece in pieces) > BYTES_WITHOUT_RAY
    if use_ray:
        connect(object_store_memory=OBJECT_STORE_BYTES)
    with writing(str(output)) as (folder, scratch):
        runs = _Runs()
        with progress("reading", _mib(sum(p.size for p in pieces)), "MiB") as advance:
            read = partial(_write_runs, scratch=scratch, seed=seed)
            results = each(read, list(enumerate(pieces)), use_ray)
            done = 0
            for piece, result in zip(pieces, results, strict=True):
                runs.add(result)
                advance(
                    _mib(done + piece.size) - _mib(done), f"{runs.counts['texts_read']:,} texts"
                )
                done += piece.size
        _check_groups(runs, inputs, scratch)

        mean = runs.bytes / runs.groups
        stretch_rows = max(int(STRETCH_BYTES / mean) // ROW_GROUP * ROW_GROUP, ROW_GROUP)
        keys = list(runs.keys.values())
        planned = plan_shards(keys, rows_per_shard, min(stretch_rows, STRETCH_ROWS))
        make_room(folder, scratch)
        files = []
        with progress("writing", runs.groups, "groups") as advance:
            write = partial(_write_part, runs=list(runs.keys), folder=folder, scratch=scratch)
            for file in each(write, list(enumerate(planned)), use_ray):
                files.append(file)
                advance(file["rows"])
        texts = sum(runs.texts_by_length.values())
        counts = {"groups": runs.groups, "texts": texts, "negatives": runs.negatives}
        return finish_data_set(
            folder,
            scratch,
            files=files,
            characters=runs.characters,
            counts=counts | {"characters": len(runs.characters)} | runs.counts,
            texts_by_length=runs.texts_by_length,
            options={"rows_per_shard": rows_per_shard, "seed": seed},
        )


class _Runs:
    """The runs of all pieces, and what reading them met."""

    def __init__(self) -> None:
        self.keys: dict[str, np.ndarray] = {}
        self.counts = dict.fromkeys(ReadingCounts().as_dict(), 0)
        self.characters: Counter[str] = Counter()
        self.texts_by_length: Counter[int] = Counter()
        self.groups = self.negatives = self.bytes = 0

    def add(self, result: dict[str, Any]) -> None:
        """Add what `write_runs` returned for a piece."""
        summary = json.loads(result["summary"])
        keys = np.frombuffer(result["keys"], np.uint64)
        for name, groups in summary["runs"].items():
            self.keys[name], keys = keys[:groups], keys[groups:]
            self.groups += groups
        for name, count in summary["counts"].items():
            self.counts[name] += count
        self.characters.update(summary["characters"])
        self.texts_by_length.update(dict(enumerate(summary["texts_by_length"])))
        self.negatives += summary["negatives"]
        self.bytes += result["bytes"]


def _write_runs(piece: tuple[int, Piece], scratch: Folder, seed: int) -> dict[str, Any]:
    return write_runs(*piece, scratch, seed)


def _write_part(
    shard: tuple[int, list[Stretch]], runs: list[str], folder: Folder, scratch: Folder
) -> dict[str, Any]:
    number, stretches = shard
    tables = (read_stretch(scratch, runs, stretch) for stretch in stretches)
    return write_part(number, tables, folder, scratch)


def _say_pairs(pieces: list[Piece]) -> None:
    for piece in pieces:
        if piece.pairs:
            print(
                f"joining the labelled pairs of {len(piece.parts):,} "
                f"file{'s' * (len(piece.parts) != 1)} ({piece.size / 2**20:,.1f} MiB) into groups: "
                "this holds them in memory"
            )


def _check_groups(runs: _Runs, inputs: list[str], scratch: Folder) -> None:
    names = ", ".join(inputs)
    if not runs.groups:
        raise UserError(
            f"{names}: no group has two different texts ({runs.counts['groups_read']:,} groups "
            "read), so there is nothing to train on."
        )
    if repeated := repeated_id(scratch, runs.keys):
        name, others = repeated
        raise UserError(
            f"{names}: group {name!r} occurs more than once"
            + (f", as do {others:,} others" if others else "")
            + ". Merge the groups of one id, or give each an id of its own."
        )


def _mib(size: int) -> int:
    return size >> 20
