"""Parquet of groups and of pairs: a sentence for every malformed file."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from input_files import (
    AS_GROUPS,
    AS_JOINED,
    FIRST,
    GROUPS,
    LABEL,
    SECOND,
    parquet,
    read,
    refusal,
    write,
)

from siamese.errors import UserError


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
        (parquet(text1=["a"], text2=["b"], label=[7]), ["row 1", "'7'", "0 or 1"]),
        (parquet(text1=["a"], text2=["b"], label=[-0.5]), ["row 1", "'-0.5'", "0 or 1"]),
        (parquet(text1=["a"], text2=["b"], score=[float("nan")]), ["row 1", "'nan'", "grade"]),
        (parquet(text1=["a"], text2=["b"], label=[None]), ["row 1", "0 or 1"]),
        (parquet(text1=["a"], text2=[""], label=[1]), ["row 1", "empty text"]),
        (parquet(text1=["a"], text2=["b"], label=[0]), ["no positive pair"]),
        (parquet(text1=["a"], text2=["b"], label=[5.5]), ["row 1", "'5.5'", "label_0_to_6"]),
        (parquet(text1=[b"a"], text2=["b"], label=[1]), ["row 1", "strings"]),
        (parquet(id=pa.array([None], pa.int64()), texts=[["a", "b"]]), ["string or a number"]),
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


@pytest.mark.parametrize(
    "text", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_strings_of_every_kind(tmp_path, text):
    pairs = parquet(text1=pa.array(FIRST).cast(text), text2=SECOND, label=LABEL)
    assert read(write(tmp_path / "a.parquet", pairs))[0] == AS_JOINED


def test_labels_and_names_as_pandas_writes_them(tmp_path):
    labels = pa.array([str(bool(label)) for label in LABEL]).dictionary_encode()
    pairs = parquet(**{"\ufefftext1": FIRST, "text2": SECOND, "label": labels})
    assert read(write(tmp_path / "a.parquet", pairs))[0] == AS_JOINED
    groups = parquet(**{"\ufeffid": list(GROUPS), "texts": list(GROUPS.values())})
    assert read(write(tmp_path / "b.parquet", groups))[0] == AS_GROUPS


def test_what_unpacks_to_far_more_than_text_does_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("siamese.data.formats.parquet.EXPANSION_FREE", 1 << 20)
    buffer = io.BytesIO()
    table = pa.table({"id": range(20), "texts": [[f"{'a' * 100_000}{i}", "b"] for i in range(20)]})
    pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
    assert "unpacks to more than" in refusal(write(tmp_path / "a.parquet", buffer.getvalue()))


@pytest.mark.parametrize("at", range(4, 600, 23))
def test_one_damaged_byte_gives_groups_or_a_sentence(tmp_path, at):
    content = bytearray(parquet(id=list(GROUPS), texts=list(GROUPS.values())))
    content[-at] ^= 0xFF
    try:
        read(write(tmp_path / "a.parquet", bytes(content)))
    except UserError as error:
        assert "a.parquet" in str(error)
