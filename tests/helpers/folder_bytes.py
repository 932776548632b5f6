"""What is in a folder, byte for byte, and which groups are in a data set."""

from pathlib import Path

import pyarrow.parquet as pq

from siamese.data.group import Group
from siamese.storage.folder import Folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def contents_at(uri: str) -> dict[str, bytes]:
    found = {}
    for name in Folder(uri).names():
        with Folder(uri).open(name) as stream:
            found[name] = stream.read()
    return found


def parquet_rows(folder: Path) -> list[list[Group]]:
    """The groups of each shard, read without the project's own reader."""
    return [
        [
            Group(row["group_id"], tuple(row["texts"]), tuple(row["negatives"]))
            for row in pq.read_table(path).to_pylist()
        ]
        for path in sorted(folder.glob("part-*.parquet"))
    ]
