"""Parquet of groups and of pairs: a sentence for every malformed file."""

import pyarrow as pa
import pytest
from input_files import (
    GROUPS,
    parquet,
    refusal,
    write,
)


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (b"text in a file of the wrong name", []),
        (parquet(id=list(GROUPS), texts=list(GROUPS.values()))[:-20], []),
        (parquet(id=list(GROUPS), texts=list(GROUPS.values()))[60:], []),
        (parquet(id=[1], text=[["a", "b"]]), ["columns id, text", "`texts`"]),
        (parquet(text1=["a"], text2=["b"]), ["columns text1, text2", "`label`"]),
        (parquet(text1=["a"], label=[1]), ["columns text1, label", "two texts"]),
        (parquet(id=[1], texts=["ab"]), ["group '1'", "list of strings", '"ab"']),
        (parquet(id=[1], texts=[None]), ["group '1'", "list of strings", "null"]),
        (parquet(id=[1], texts=[["a", None]]), ["group '1'", "strings", "null"]),
        (parquet(id=[1], texts=[[1, 2]]), ["group '1'", "strings"]),
        (parquet(id=[1], texts=[["a", ""]]), ["group '1'", "empty text"]),
        (parquet(text1=["a", None], text2=["b", "c"], label=[1, 1]), ["row 2", "strings"]),
        (parquet(text1=[1], text2=["b"], label=[1]), ["row 1", "text1", "strings"]),
        (parquet(text1=["a"], text2=["b"], label=[2]), ["row 1", "'2'", "0 or 1"]),
        (parquet(text1=["a"], text2=["b"], label=[0.5]), ["row 1", "'0.5'", "0 or 1"]),
        (parquet(text1=["a"], text2=["b"], label=[None]), ["row 1", "0 or 1"]),
        (parquet(text1=["a"], text2=[""], label=[1]), ["row 1", "empty text"]),
        (parquet(text1=["a"], text2=["b"], label=[0]), ["no positive pair"]),
    ],
)
def test_parquet(tmp_path, content, fragments):
    file = write(tmp_path / "a.parquet", content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []


def test_parquet_strings_that_are_not_utf8(tmp_path):
    offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
    broken = pa.StringArray.from_buffers(1, offsets, data)
    content = parquet(text1=broken, text2=["b"], label=[1])
    assert "utf-8" in refusal(write(tmp_path / "a.parquet", content)).lower()
