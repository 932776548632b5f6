"""Pieces of the input: read one by one they give what the whole gives, with the same messages."""

import gzip
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
import siamese.data.json_cuts
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


# What cuts a JSON object in the wrong place, if a reader takes it for what it looks like.
NASTY = ['"],"', '["', "\\", '"', "甲", "😱", "a", " ", "]", "}"]
WORDS = st.lists(st.sampled_from(NASTY), min_size=1, max_size=4).map("".join).filter(str.strip)
GROUPS = st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=3)), min_size=1, max_size=8)


def one_object(groups, indent, ascii_only) -> str:
    """Groups as one JSON object, ids as often as they come."""
    rows = [
        f"{json.dumps(key, ensure_ascii=ascii_only)}: "
        + json.dumps(texts, ensure_ascii=ascii_only, indent=indent)
        for key, texts in groups
    ]
    return "{" + (", " if indent is None else ",\n").join(rows) + "}"


def outcome(read) -> tuple:
    """The groups and what was counted, or the message."""
    try:
        groups, counts = read()
    except UserError as error:
        return (str(error),)
    return groups, counts.as_dict(), counts.characters


@given(
    GROUPS,
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n\xef\xbb\xbf"]),
    st.integers(1, 60),
    st.sampled_from([3, 10, 1 << 18]),
)
def test_ranges_of_an_object_give_the_groups_of_the_whole_file(
    groups, indent, ascii_only, start, size, block
):
    uri = in_memory(".json", start + one_object(groups, indent, ascii_only).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(siamese.data.json_cuts, "BLOCK", block)
        found = outcome(lambda: by_pieces([uri], size))
    assert found == outcome(lambda: by_pieces([uri], 1 << 30))
    assert [group.id for group in found[0]] == [
        key for key, texts in groups if len(dict.fromkeys(texts)) > 1
    ]


@given(GROUPS, st.sampled_from([None, 0]), st.data(), st.integers(1, 40))
def test_a_broken_object_is_refused_in_ranges_as_it_is_as_a_whole(groups, indent, data, size):
    content = one_object(groups, indent, ascii_only=False).encode()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 2))
    wrong = data.draw(
        st.sampled_from([b"", *b'"|\\|]|[|{|}|,|1|null|\n|\xff|"",|\\ud800'.split(b"|")])
    )
    uri = in_memory(".json", content[:at] + wrong + content[at + cut :])
    assert outcome(lambda: by_pieces([uri], size)) == outcome(lambda: by_pieces([uri], 1 << 30))


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


@pytest.mark.parametrize("size", [30, 100, 1 << 17, 1 << 30])
@pytest.mark.parametrize("bad", [0, 1, 17, 39])
@pytest.mark.parametrize(
    ("member", "problem"),
    [
        (b'"x": ["a" "b"]', "line {}, column 11: not valid JSON"),
        (b'"x": ["a]', "line {}, column "),
        ('"x": ["怎么"]'.encode("gbk"), "line {}: not valid UTF-8"),
        (b'"x": ["\\ud800"]', "line {}: holds half of a surrogate pair"),
        (b'"x": ["a", null]', "group 'x': texts must be strings, found null"),
        (b'"x": ["a", ["],", "b"], "c"]', "group 'x': texts must be strings"),
        (b'"x": {"y": ["a"], "z": ["b"]}', "group 'x': texts must be a list of strings"),
        (b'"x": ["a", " "]', "group 'x': has an empty text"),
    ],
    ids=["comma", "quote", "GBK", "surrogate", "null", "list", "object", "empty"],
)
def test_an_error_in_a_range_of_an_object_is_that_of_the_whole(
    tmp_path, size, bad, member, problem
):
    rows = [f'"{i}": ["甲{i}", "乙{i}"]'.encode() for i in range(40)]
    rows[bad] = member
    path = tmp_path / "in.json"
    path.write_bytes(b"{" + b",\n".join(rows) + b"}")
    expected = f"{path}, {problem.format(bad + 1)}"
    [message] = outcome(lambda: by_pieces([str(path)], size))
    assert message.startswith(expected if bad or "column 1" not in problem else str(path))
    assert (message,) == outcome(lambda: by_pieces([str(path)], 1 << 30))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"甲": ["有\\"], \\"", "乙"], "b": ["c", "d"]}'.encode("gb18030")),
        ("a.json", '{"甲": ["一", "乙"], "b": ["c", "d"]}'.encode("utf-16")),
        ("a.json.gz", gzip.compress(b'{"a": ["b", "c"], "d": ["e", "f"]}')),
    ],
    ids=["GB18030", "UTF-16", "gzip"],
)
def test_what_cannot_seek_is_one_range(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    [piece] = plan_pieces([str(tmp_path / name)], 1)
    assert len([group for batch in piece.read(ReadingCounts()) for group in batch]) == 2


def test_json_lines_named_json_are_read_in_ranges_too(tmp_path):
    path = tmp_path / "in.json"
    path.write_text("".join(f'{{"id": {i}, "texts": ["甲", "乙{i}"]}}\n' for i in range(40)))
    assert len(plan_pieces([str(path)], 100)) > 10
    assert by_pieces([str(path)], 100)[0] == list(read_groups([str(path)], ReadingCounts()))


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
