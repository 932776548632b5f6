"""The shard format, written and read in one place: Parquet files of groups and a manifest.

    DIR/part-00000.parquet …   the shards: the columns of `SCHEMA`
    DIR/vocabulary.json        every character of the texts that were read, with its count
    DIR/manifest.json          written last: a folder without it is no data set

The same groups and options give the same bytes.
"""

import re
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
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of, write_json
from siamese.storage.folder import Folder
from siamese.text.vocabulary import Vocabulary

SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("negatives", pa.list_(pa.string())),
    ]
)
_TEXTS = SCHEMA.names.index("texts")
SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
FIRST_SHARD = "part-00000.parquet"
SHARD = re.compile(r"part-\d{5,}\.parquet")
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
    with folder.saving(name, scratch) as path:
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table, row_group_size=ROW_GROUP)
                rows += len(table)
        return {"name": name, "rows": rows, "sha256": sha256_of(path)}


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
        "schema_version": SCHEMA_VERSION,
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
    """

    def __init__(self, folder: Folder, rows: Mapping[str, int]) -> None:
        self._folder = folder
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
        self._read: OrderedDict[int, list[pa.Array]] = OrderedDict()  # the oldest first
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
        group_id, texts, negatives = (c[row].as_py() for c in self._row_group(number))
        return Group(group_id, tuple(texts), tuple(negatives))

    def __iter__(self) -> Iterator[Group]:
        for number in range(len(self.row_groups)):
            for row in zip(*(c.to_pylist() for c in self._row_group(number)), strict=True):
                group_id, texts, negatives = row
                yield Group(group_id, tuple(texts), tuple(negatives))

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
            texts = self._row_group(number)[_TEXTS]
            self._pair_ends[number] = np.cumsum(texts.value_lengths().to_numpy() - 1)
        return self._pair_ends[number]

    def _row_group(self, number: int) -> list[pa.Array]:
        """Return the three columns of a row group."""
        with self._lock:
            if number in self._read:
                self._read.move_to_end(number)
                return self._read[number]
            name, position = self._where[number]
            columns = self._read_columns(name, position)
            if any(len(column) != self.row_groups[number] for column in columns):
                self._refuse(name, f"{len(columns[0])} groups in a row group")
            ids, texts, negatives = columns
            every = (ids, texts, negatives, texts.flatten(), negatives.flatten())
            if any(array.null_count for array in every):
                self._refuse(name, "something in it is null")
            self._read[number] = columns
            self._groups_kept += self.row_groups[number]
            while self._groups_kept > GROUPS_KEPT and len(self._read) > 1:
                oldest, _ = self._read.popitem(last=False)
                self._groups_kept -= self.row_groups[oldest]
            return columns

    def _read_columns(self, name: str, position: int) -> list[pa.Array]:
        with self._opened(name) as file:
            table = file.read_row_group(position, columns=SCHEMA.names)
            columns = [c.combine_chunks() for c in table.select(SCHEMA.names).cast(SCHEMA).columns]
            for column in columns:
                column.validate(full=True)  # texts are UTF-8
            return columns

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


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Read the manifest of a data set, local or at a URI.

    Raises:
        UserError: the folder holds no complete data set, or one of another version.
    """
    place = Folder(folder)
    if not place.is_file(MANIFEST):
        raise UserError(
            f"{folder}: not a data set ({MANIFEST} is missing). Make one with "
            f"`siamese shard INPUT… --output {folder}`."
        )
    manifest = place.read_json(MANIFEST)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{place / MANIFEST}: schema version {version}, this release reads {SCHEMA_VERSION}. "
            "Shard the input again."
        )
    try:
        # Names that lead elsewhere are no shards.
        whole = all(
            {"name", "rows", "sha256"} <= file.keys()
            and SHARD.fullmatch(file["name"])
            and type(file["rows"]) is int
            and file["rows"] > 0
            for file in manifest["files"]
        )
        whole = (
            whole
            and len(manifest["files"]) > 0
            and manifest["counts"].keys() >= {"texts_read", "negatives", "groups_of_one_text_kept"}
        )
        whole = whole and manifest.keys() >= {"vocabulary_sha256", "texts_by_length"}
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{place / MANIFEST}: damaged. Shard the input again.")
    return manifest


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
    groups = ShardedGroups(place, {file["name"]: file["rows"] for file in manifest["files"]})
    data = TrainingData(
        groups=groups,
        single_text_groups=manifest["counts"]["groups_of_one_text_kept"],
        row_groups=groups.row_groups,
        sizes=groups,
        characters=vocabulary.counts,
        negatives=manifest["counts"]["negatives"],
        texts_read=manifest["counts"]["texts_read"],
        hash=place.sha256(MANIFEST),
    )
    return data, manifest
