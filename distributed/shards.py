"""The shard format, written and read in one place: Parquet files of groups and a manifest.

    DIR/part-00000.parquet …   group_id: string, texts: list<string>, negatives: list<string>
    DIR/vocabulary.json        every character of the texts that were read, with its count
    DIR/manifest.json          written last: a folder without it is no data set

The same groups and options give the same bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from siamese.errors import UserError
from siamese.files import read_json, sha256_of, write_json
from siamese.groups import Group
from siamese.training_data import TrainingData
from siamese.vocabulary import Vocabulary

SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("negatives", pa.list_(pa.string())),
    ]
)
SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
VOCABULARY = "vocabulary.json"
ROW_GROUP = 4096


def write_shards(
    folder: Path,
    groups: Iterable[Group],
    characters: Mapping[str, int],
    counts: Mapping[str, int],
    rows_per_shard: int,
    seed: int,
) -> dict[str, Any]:
    """Write groups as shards into an empty or a new folder, and return the manifest.

    Groups are dealt to shards of equal size in the order of a seeded hash of their ids, so that
    each shard is a random sample of the data.

    Args:
        folder: where to.
        groups: all groups; held in memory.
        characters: every character of the texts that were read, with its count.
        counts: what reading met, for the manifest.
        rows_per_shard: groups in a shard, at most.
        seed: of the hash.
    """
    dealt = sorted(groups, key=lambda group: (_hash(seed, group.id), group.id))
    folder.mkdir(parents=True, exist_ok=True)
    lengths = np.bincount([len(text) for group in dealt for text in group.texts])
    files = []
    shards = -(-len(dealt) // rows_per_shard)
    for number in range(shards):
        share = dealt[number * len(dealt) // shards : (number + 1) * len(dealt) // shards]
        path = folder / f"part-{number:05}.parquet"
        pq.write_table(_table(share), path, row_group_size=ROW_GROUP, compression="zstd")
        files.append({"name": path.name, "rows": len(share), "sha256": sha256_of(path)})
    vocabulary = Vocabulary(characters)
    vocabulary.save(folder / VOCABULARY)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "files": files,
        "counts": {
            "groups": len(dealt),
            "texts": int(lengths.sum()),
            "negatives": sum(len(group.negatives) for group in dealt),
            "characters": len(vocabulary.characters),
            **counts,
        },
        "texts_by_length": {str(n): int(count) for n, count in enumerate(lengths) if count},
        "options": {"rows_per_shard": rows_per_shard, "seed": seed},
        "vocabulary_sha256": sha256_of(folder / VOCABULARY),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def _hash(seed: int, group_id: str) -> bytes:
    return hashlib.blake2b(
        group_id.encode(), digest_size=8, salt=seed.to_bytes(8, "little")
    ).digest()


def _table(groups: Sequence[Group]) -> pa.Table:
    columns = [
        [group.id for group in groups],
        [group.texts for group in groups],
        [group.negatives for group in groups],
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


class ShardedGroups(Sequence[Group]):
    """The groups of all shards, in Arrow memory; a group becomes Python objects when asked for."""

    def __init__(self, table: pa.Table) -> None:
        table = table.combine_chunks()
        self._ids = table["group_id"].chunk(0)
        self._texts = table["texts"].chunk(0)
        self._negatives = table["negatives"].chunk(0)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Group(
            self._ids[index].as_py(),
            tuple(self._texts[index].as_py()),
            tuple(self._negatives[index].as_py()),
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data set.

    Raises:
        UserError: the folder holds no complete data set, or one of another version.
    """
    if not (folder / MANIFEST).is_file():
        raise UserError(
            f"{folder}: not a data set ({MANIFEST} is missing). Make one with "
            f"`siamese shard INPUT… --output {folder}`."
        )
    manifest = read_json(folder / MANIFEST)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{folder / MANIFEST}: schema version {version}, this release reads {SCHEMA_VERSION}. "
            "Shard the input again."
        )
    try:
        whole = all({"name", "rows", "sha256"} <= file.keys() for file in manifest["files"])
        whole = (
            whole
            and len(manifest["files"]) > 0
            and manifest["counts"].keys() >= {"texts_read", "negatives"}
        )
        whole = whole and manifest.keys() >= {"vocabulary_sha256", "texts_by_length"}
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{folder / MANIFEST}: damaged. Shard the input again.")
    return manifest


def read_shards(folder: Path) -> tuple[TrainingData, dict[str, Any]]:
    """Open a data set: what to train on, and its manifest.

    Raises:
        UserError: the folder holds no complete data set, or a file was altered.
    """
    manifest = read_manifest(folder)
    checksums = {file["name"]: file["sha256"] for file in manifest["files"]}
    checksums[VOCABULARY] = manifest["vocabulary_sha256"]
    for name, expected in checksums.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            state = "altered or truncated" if path.is_file() else "missing"
            raise UserError(f"{path}: {state} since the data set was made. Shard the input again.")
    table = pa.concat_tables(
        [pq.read_table(folder / file["name"], schema=SCHEMA) for file in manifest["files"]]
    )
    vocabulary = Vocabulary.load(folder / VOCABULARY)
    data = TrainingData(
        groups=ShardedGroups(table),
        characters=vocabulary.counts,
        negatives=manifest["counts"]["negatives"],
        texts_read=manifest["counts"]["texts_read"],
        hash=sha256_of(folder / MANIFEST),
    )
    return data, manifest
