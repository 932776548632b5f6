"""The shard format, written and read in one place: Parquet files of groups and a manifest.

    DIR/part-00000.parquet …   the shards: the columns of `SCHEMA`
    DIR/vocabulary.json        every character of the texts that were read, with its count
    DIR/manifest.json          written last: a folder without it is no data set

The same groups and options give the same bytes.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.group_columns import SCHEMA, GroupColumns
from siamese.data.manifest import (
    MANIFEST,
    PAIR_COUNTS,
    SCHEMA_VERSIONS,
    labelled_pairs,
    read_manifest,
)
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of, write_json
from siamese.storage.folder import Folder
from siamese.text.vocabulary import Vocabulary

_TEXTS = SCHEMA.names.index("texts")
FIRST_SHARD = "part-00000.parquet"
VOCABULARY = "vocabulary.json"
# Groups in a Parquet row group, but for the last of a file: part of the format.
ROW_GROUP = 4096
# Groups that an open data set keeps in memory: twice as many as sampling reads from at a time.
GROUPS_KEPT = 64 * ROW_GROUP


def write_shard(
    number: int, tables: Iterable[pa.Table], folder: Folder, scratch: Folder
) -> dict[str, Any]:
    """Write one shard, and return its entry in the manifest.

    Args:
        number: of the shard.
        tables: of `SCHEMA`, each in one chunk; all but the last of a multiple of `ROW_GROUP` rows.
        folder: the data set's.
        scratch: for the file while it is begun.
    """
    name = f"part-{number:05}.parquet"
    rows = 0
    counts: list[list[int]] = []
    with folder.saving(name, scratch) as path:
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table, row_group_size=ROW_GROUP)
                rows += len(table)
                starts = np.arange(0, len(table), ROW_GROUP)
                labelled = GroupColumns(table).labelled()
                counts += np.add.reduceat(labelled, starts, axis=1).T.tolist()
        file = {"name": name, "rows": rows, "sha256": sha256_of(path)}
    return file | dict(zip(PAIR_COUNTS, map(list, zip(*counts, strict=True)), strict=True))


def finish_data_set(
    folder: Folder,
    scratch: Folder,
    files: list[dict[str, Any]],
    characters: Mapping[str, int],
    counts: Mapping[str, int],
    texts_by_length: Mapping[int, int],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Write the vocabulary and, last, the manifest, which makes the folder a data set.

    Args:
        folder: where all shards are.
        scratch: for files while they are begun.
        files: what `write_shard` returned for each shard.
        characters: every character of the texts that were read, with its count.
        counts: of groups and texts, and what reading met.
        texts_by_length: how many texts have so many characters.
        options: those of `siamese shard`.

    Returns:
        The manifest.
    """
    with folder.saving(VOCABULARY, scratch) as path:
        Vocabulary(characters).save(path)
        vocabulary_sha256 = sha256_of(path)
    manifest = {
        "schema_version": SCHEMA_VERSIONS[-1],
        "files": files,
        "counts": dict(counts),
        "texts_by_length": {str(n): count for n, count in sorted(texts_by_length.items()) if count},
        "options": dict(options),
        "vocabulary_sha256": vocabulary_sha256,
    }
    with folder.saving(MANIFEST, scratch) as path:
        write_json(path, manifest)
    return manifest


class ShardedGroups(Sequence[Group]):
    """The groups of all shards, read a row group at a time when they are asked for.

    Row groups that were read last are kept. Several threads may read.

    Args:
        folder: the data set.
        rows: the number of groups in each of its files, by name, in order.
        pairs: the number of positive and of other pairs in each of its row groups, in order; None:
            it is of version 2, which has none.
    """

    def __init__(
        self,
        folder: Folder,
        rows: Mapping[str, int],
        pairs: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        self._folder = folder
        self._labelled = pairs
        # The file of each row group, its number in the file, and how many groups it has.
        found = [
            (name, number, min(ROW_GROUP, count - start))
            for name, count in rows.items()
            for number, start in enumerate(range(0, count, ROW_GROUP))
        ]
        self._where = [(name, number) for name, number, _ in found]
        self.row_groups = tuple(count for _, _, count in found)
        self._ends = np.cumsum(self.row_groups).tolist()
        self._pair_ends: dict[int, np.ndarray] = {}
        self._labelled_ends: dict[int, np.ndarray] = {}
        self._read: OrderedDict[int, GroupColumns] = OrderedDict()  # the oldest first
        self._groups_kept = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]  # negative ones count from the end; others are refused
        number = bisect_right(self._ends, index)
        row = index - self._ends[number] + self.row_groups[number]
        return self._row_group(number)[row]

    def __iter__(self) -> Iterator[Group]:
        for number in range(len(self.row_groups)):
            yield from self._row_group(number)

    @cached_property
    def _pairs(self) -> tuple[int, ...]:
        counts = []
        for name in dict.fromkeys(name for name, _ in self._where):
            with self._opened(name) as file:
                groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
                counts += [each.column(_TEXTS).num_values - each.num_rows for each in groups]
            if len(groups) != sum(own == name for own, _ in self._where):
                self._refuse(name, f"{len(groups)} row groups")
        return tuple(counts)

    def pairs(self) -> tuple[int, ...]:
        """Return what `dataset.Sizes` asks for, from the metadata of the Parquet files."""
        return self._pairs

    def pair_ends(self, number: int) -> np.ndarray:
        """Return what `dataset.Sizes` asks for; kept once read."""
        if number not in self._pair_ends:
            self._pair_ends[number] = np.cumsum(self._row_group(number).joins())
        return self._pair_ends[number]

    def labelled_pairs(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return what `dataset.Sizes` asks for, from the manifest."""
        return self._labelled or (self.pairs(), (0,) * len(self.row_groups))

    def labelled_ends(self, number: int) -> np.ndarray:
        """Return what `dataset.Sizes` asks for; kept once read."""
        if number not in self._labelled_ends:
            ends = np.cumsum(self._row_group(number).labelled(), axis=1)
            if ends[:, -1].tolist() != [counts[number] for counts in self.labelled_pairs()]:
                self._refuse(self._where[number][0], "other pairs than its manifest says")
            self._labelled_ends[number] = ends
        return self._labelled_ends[number]

    def _row_group(self, number: int) -> GroupColumns:
        with self._lock:
            if number in self._read:
                self._read.move_to_end(number)
                return self._read[number]
            name, position = self._where[number]
            with self._opened(name) as file:
                names = SCHEMA.names if self._labelled else SCHEMA.names[:-1]
                groups = GroupColumns(file.read_row_group(position, columns=names).select(names))
                problem = groups.problem()
            if len(groups) != self.row_groups[number]:
                problem = f"{len(groups)} groups in a row group"
            if problem:
                self._refuse(name, problem)
            self._read[number] = groups
            self._groups_kept += self.row_groups[number]
            while self._groups_kept > GROUPS_KEPT and len(self._read) > 1:
                oldest, _ = self._read.popitem(last=False)
                self._groups_kept -= self.row_groups[oldest]
            return groups

    @contextmanager
    def _opened(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a shard; what Arrow finds wrong with it while the block runs is a sentence."""
        try:
            with self._folder.open_arrow(name) as source:
                yield pq.ParquetFile(source)
        except (pa.ArrowException, LookupError, ValueError, OSError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # of the disk or the network
            self._refuse(name, str(error))

    def _refuse(self, name: str, problem: str) -> NoReturn:
        raise UserError(
            f"{self._folder / name}: damaged, or no shard ({problem}). Shard the input again."
        ) from None


def read_shards(folder: str | Path, verify: bool = True) -> tuple[TrainingData, dict[str, Any]]:
    """Open a data set: what to train on, and its manifest.

    Args:
        folder: local or a URI.
        verify: compare the checksums of all files. For all but the first of several readers of one
            data set it would be the same work again.

    Raises:
        UserError: the folder holds no complete data set, or a file was altered.
    """
    manifest = read_manifest(folder)
    place = Folder(folder)
    checksums = {file["name"]: file["sha256"] for file in manifest["files"]}
    checksums[VOCABULARY] = manifest["vocabulary_sha256"]
    for name, expected in checksums.items() if verify else ():
        there = place.is_file(name)
        if not there or place.sha256(name) != expected:
            state = "altered or truncated" if there else "missing"
            raise UserError(
                f"{place / name}: {state} since the data set was made. Shard the input again."
            )
    with place.local_copy(VOCABULARY) as path:
        vocabulary = Vocabulary.load(path)
    rows = {file["name"]: file["rows"] for file in manifest["files"]}
    for file in manifest["files"]:
        row_groups = -(-file["rows"] // ROW_GROUP)
        if any(len(file.get(counts, ())) not in (0, row_groups) for counts in PAIR_COUNTS):
            raise UserError(
                f"{place / file['name']}: has other row groups than its manifest says. Shard the "
                "input again."
            )
    groups = ShardedGroups(place, rows, labelled_pairs(manifest))
    data = TrainingData(
        groups=groups,
        single_text_groups=manifest["counts"]["groups_of_one_text_kept"],
        pair_only_groups=manifest["counts"].get("groups_of_one_text_kept_for_pairs", 0),
        row_groups=groups.row_groups,
        sizes=groups,
        characters=vocabulary.counts,
        negatives=manifest["counts"]["negatives"],
        texts_read=manifest["counts"]["texts_read"],
        hash=place.sha256(MANIFEST),
        mined="mined" in manifest.get("options", {}),
    )
    return data, manifest
