"""An input and its data set, for several files of tests."""

import json
from pathlib import Path

import pytest

from siamese.data.sharding import make_data_set


@pytest.fixture
def source(tmp_path) -> str:
    """103 groups of 2 to 4 texts, every fifth with hard negatives, and one of one text."""
    rows = [
        {
            "id": f"组{i}",
            "texts": [f"第{i}组的第{j}句" for j in range(2 + i % 3)],
            "negatives": [f"不是{i}😱"] if i % 5 == 0 else [],
        }
        for i in range(103)
    ]
    rows.append({"id": "alone", "texts": ["一句", "一句"]})
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def data(source, tmp_path) -> Path:
    make_data_set([source], tmp_path / "data", rows_per_shard=25)
    return tmp_path / "data"
