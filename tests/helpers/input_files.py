"""The same groups and pairs in every input format, and reading them."""

import io
import json
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.reading import read_groups
from siamese.errors import UserError

BOM = b"\xef\xbb\xbf"


GBK = "怎么".encode("gbk")  # the commonest way for a Chinese file not to be UTF-8


GROUPS = {"0": ["怎么办卡", "如何办卡"], "7": ["挂失", "卡丢了", "我的卡丢了😱"]}


AS_GROUPS = [Group(key, tuple(texts)) for key, texts in GROUPS.items()]


PAIRS = [("怎么办卡", "如何办卡", 1), ("怎么办卡", "怎么销卡", 0), ("挂失", "卡丢了", 1)]


AS_JOINED = [Group("0", ("怎么办卡", "如何办卡"), ("怎么销卡",)), Group("1", ("挂失", "卡丢了"))]


def read(*inputs: object) -> tuple[list[Group], ReadingCounts]:
    """The groups of inputs, without what was labelled, and what was counted."""
    counts = ReadingCounts()
    return without_pairs(read_groups([str(i) for i in inputs], counts)), counts


def without_pairs(groups: Iterable[Group]) -> list[Group]:
    return [replace(group, pairs=()) for group in groups]


def refusal(*inputs: object) -> str:
    with pytest.raises(UserError) as error:
        read(*inputs)
    return str(error.value)


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def in_memory(suffix: str, content: bytes) -> str:
    """A new file of fsspec's memory file system, for tests that write many."""
    uri = f"memory://test_groups/{uuid.uuid4()}{suffix}"
    fsspec.filesystem("memory").pipe(uri, content)
    return uri


def parquet(**columns: object) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def text_rows(separator: str, rows: list[tuple]) -> str:
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


TSV, CSV = text_rows("\t", PAIRS), text_rows(",", PAIRS)


JSON = json.dumps(GROUPS, ensure_ascii=False, indent=1)


JSON_LINES = "".join(
    json.dumps({"id": key, "texts": texts}, ensure_ascii=False) + "\n"
    for key, texts in GROUPS.items()
)


FIRST, SECOND, LABEL = (list(column) for column in zip(*PAIRS, strict=True))
