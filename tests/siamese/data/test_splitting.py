"""Pieces of the input: read one by one they give what the whole gives, with the same messages."""

import io
import json
import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import siamese.data.data_file
from siamese.data.cleaning import ReadingCounts
from siamese.data.finding import find_files
from siamese.data.group import Group
from siamese.data.reading import read_groups
from siamese.data.splitting import plan_pieces
from siamese.errors import UserError


def in_memory(suffix: str, content: bytes) -> str:
    uri = f"memory://test_pieces/{uuid.uuid4()}{suffix}"
    fsspec.filesystem("memory").pipe(uri, content)
    return uri


def by_pieces(inputs: list[str], piece_bytes: int) -> tuple[list[Group], ReadingCounts]:
    counts = ReadingCounts()
    pieces = plan_pieces(inputs, piece_bytes)
    return [g for piece in pieces for batch in piece.read(counts) for g in batch], counts


LINE_ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"])
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6).filter(str.strip)


@given(
    st.lists(st.tuples(st.lists(TEXTS, max_size=3), LINE_ENDS), min_size=1, max_size=12),
    st.integers(1, 200),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 7, 1 << 17]),
)
@example([(["a", "b"], "\n")] * 3, 1, True, True, 1)
def test_ranges_of_lines_give_the_groups_of_the_whole_file(rows, size, bom, last_end, block):
    content = "".join(
        json.dumps({"id": i, "texts": texts}, ensure_ascii=False) + end
        for i, (texts, end) in enumerate(rows)
    )
    uri = in_memory(
        ".jsonl",
        b"\xef\xbb\xbf" * bom + (content if last_end else content.rstrip("\r\n ")).encode(),
    )
    whole_counts = ReadingCounts()
    whole = list(read_groups([uri], whole_counts))
    assert [g.id for g in whole] == [
        str(i) for i, (texts, _) in enumerate(rows) if len(set(texts)) > 1
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(siamese.data.data_file, "BLOCK", block)
        groups, counts = by_pieces([uri], size)
    assert groups == whole
    assert counts.as_dict() == whole_counts.as_dict()
    assert counts.characters == whole_counts.characters


@given(st.binary(max_size=60), st.integers(1, 30), st.sampled_from([1, 3, 99]))
def test_every_line_is_in_one_range_and_keeps_its_number(content, size, block):
    content = content.replace(b"\xef", b"\n").decode("utf-8", "ignore").encode()
    uri = in_memory(".txt", content + b"x")
    [file] = find_files([uri], ())
    whole = list(file.lines())
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(siamese.data.data_file, "BLOCK", block)
        for begin in range(0, len(content) + 1, size):
            lines = list(file.lines(begin, begin + size))
            found += [(file.line_number(begin, number), line) for number, line in lines]
    assert found == whole


@pytest.mark.parametrize("size", [1, 30, 100, 1000])
@pytest.mark.parametrize("bad", [0, 1, 17, 39])
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"id": 1,', "line {}, column 10: not valid JSON"),
        ("怎么".encode("gbk"), "line {}: not valid UTF-8"),
        (b'{"id": 1}', 'line {}: expected {{"id"'),
        (b'{"id": 1, "texts": [2]}', "line {}, group '1': texts must be strings"),
    ],
)
def test_an_error_in_a_range_names_the_line_of_the_file(tmp_path, size, bad, line, problem):
    rows = [f'{{"id": "{i}", "texts": ["甲{i}", "乙{i}"]}}'.encode() for i in range(40)]
    rows[bad] = line
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join(rows))
    with pytest.raises(UserError) as error:
        by_pieces([str(path)], size)
    assert f"{path}, {problem.format(bad + 1)}" in str(error.value)


@pytest.mark.parametrize("size", [1, 500, 3000, 1 << 30])
def test_ranges_of_row_groups_give_the_groups_of_the_whole_file(size):
    rows = {f"{i}": [f"甲{i}", f"乙{i}"] for i in range(100)}
    buffer = io.BytesIO()
    table = pa.table({"id": list(rows), "texts": list(rows.values())})
    pq.write_table(table, buffer, row_group_size=9)
    uri = in_memory(".parquet", buffer.getvalue())
    groups, _ = by_pieces([uri], size)
    assert groups == [Group(key, tuple(texts)) for key, texts in rows.items()]
    assert (len(plan_pieces([uri], size)) > 1) == (size < 1 << 30)


def test_small_files_share_a_piece_and_pairs_come_last_and_together(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text('{"id": 1, "texts": ["x", "y"]}\n' * 1)
        (tmp_path / f"{name}.tsv").write_text("x\ty\t1\n")
    pieces = plan_pieces([str(tmp_path)], 70)
    assert [[r.file.path.rsplit("/", 1)[-1] for r in piece.ranges] for piece in pieces[:-1]] == [
        ["a.jsonl", "b.jsonl"],
        ["c.jsonl"],
    ]
    assert [file.path.rsplit("/", 1)[-1] for file, _ in pieces[-1].files] == [
        "a.tsv",
        "b.tsv",
        "c.tsv",
    ]
    assert by_pieces([str(tmp_path)], 1)[0] == list(read_groups([str(tmp_path)], ReadingCounts()))


def test_what_is_wrong_further_up_is_reported_first(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": 1, "texts": ["a", " "]}\n{"id": 2, "texts"')
    with pytest.raises(UserError, match="group '1': has an empty text"):
        by_pieces([str(path)], 1 << 20)
