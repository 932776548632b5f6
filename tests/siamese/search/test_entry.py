"""Entries from files of every kind, and what is refused by its place."""

import datetime
import gzip
import json
import uuid

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from siamese.errors import UserError
from siamese.search.entry import Entry, checked_entries, read_entries, read_questions

ROWS = [
    {"id": "a", "question": "怎么退票", "answer": "到窗口,或网上"},
    {"id": "b", "question": "如何改密码", "answer": "在“设置”里"},
]
ENTRIES = [Entry(row["id"], row["question"], {"answer": row["answer"]}) for row in ROWS]


def csv_of(rows, separator=",", quote='"') -> str:
    lines = [list(rows[0]), *(row.values() for row in rows)]
    return "".join(
        separator.join(f"{quote}{cell}{quote}" for cell in line) + "\n" for line in lines
    )


def jsonl_of(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


TEXT_FILES = {
    "faq.csv": csv_of(ROWS),
    "faq.tsv": csv_of(ROWS, "\t", ""),
    "faq.txt": csv_of(ROWS, "\t", ""),
    "faq.jsonl": jsonl_of(ROWS),
    "faq.json": jsonl_of(ROWS),
}


@pytest.mark.parametrize("name", TEXT_FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_tables_of_text_hold_ids_questions_and_answers(tmp_path, name, encoding) -> None:
    (tmp_path / name).write_bytes(TEXT_FILES[name].encode(encoding))
    assert list(read_entries([str(tmp_path / name)])) == ENTRIES


@pytest.mark.parametrize("name", TEXT_FILES)
def test_packed_tables_at_uris_do_too(name) -> None:
    uri = f"memory://{uuid.uuid4().hex}/{name}.gz"
    with fsspec.open(uri, "wb") as file:
        file.write(gzip.compress(TEXT_FILES[name].encode()))
    assert list(read_entries([uri])) == ENTRIES


def test_so_do_parquet_and_arrow(tmp_path) -> None:
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "faq.parquet")
    with pa.ipc.new_file(str(tmp_path / "faq.arrow"), table.schema) as file:
        file.write_table(table)
    for name in ("faq.parquet", "faq.arrow"):
        assert list(read_entries([str(tmp_path / name)])) == ENTRIES


@pytest.mark.parametrize("header", ["text", " Question ", "query", "问题"])
def test_the_column_of_texts_has_one_of_several_names(tmp_path, header) -> None:
    (tmp_path / "a.csv").write_text(f"n,{header}\n1,怎么退票\n", encoding="utf-8")
    assert list(read_entries([str(tmp_path / "a.csv")])) == [Entry("", "怎么退票", {"n": "1"})]


@pytest.mark.parametrize("name", TEXT_FILES)
def test_the_user_may_name_it(tmp_path, name) -> None:
    (tmp_path / name).write_text(TEXT_FILES[name], encoding="utf-8")
    found = list(read_entries([str(tmp_path / name)], column="Answer"))
    assert found[0] == Entry("a", "到窗口,或网上", {"question": "怎么退票"})


def test_lines_are_texts_and_blank_ones_are_none(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("怎么退票\n\n 如何\t改密码\n  \n", encoding="utf-8")
    assert [entry.text for entry in read_entries([str(tmp_path / "a.txt")])] == [
        "怎么退票",
        " 如何\t改密码",
    ]


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("g.json", '{"1": ["甲", "乙"], "2": ["丙", "丁"]}', "甲乙丙丁"),
        ("g.json", '{"1": ["甲", "乙"],\n "2": ["丙", "丁"]}', "甲乙丙丁"),
        ("g.jsonl", '{"id": 1, "texts": ["甲", "乙"]}', "甲乙"),
        ("p.tsv", "甲\t乙\t1\n丙\t丁\t0\n", "甲乙丙丁"),
        ("p.txt", "甲\t乙\t1\n丙\t丁\t0\n", "甲乙丙丁"),
        ("p.csv", "text1,text2,label\n甲,乙,1\n", "甲乙"),
        ("p.jsonl", '{"sentence1": "甲", "sentence2": "乙", "label": 1}', "甲乙"),
    ],
)
def test_of_groups_and_pairs_every_text_is_an_entry(tmp_path, name, content, texts) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = list(read_entries([str(tmp_path / name)]))
    assert found == [Entry("", text, {}) for text in texts]


def test_fields_are_what_json_can_hold(tmp_path) -> None:
    row = {
        "text": "甲",
        "none": None,
        "nan": float("nan"),
        "day": datetime.date(2026, 1, 2),
        "list": ["x", None],
        "object": {"a": 1.5},
        "yes": True,
        "embedding": [0.5, 1.5],
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
    [entry] = read_entries([str(tmp_path / "a.parquet")])
    assert entry.fields == {
        "none": None,
        "nan": None,
        "day": "2026-01-02",
        "list": ["x", None],
        "object": {"a": 1.5},
        "yes": True,
    }


@pytest.mark.parametrize("value", [7, 7.0, "7"])
def test_ids_may_be_whole_numbers(tmp_path, value) -> None:
    pq.write_table(pa.Table.from_pylist([{"id": value, "text": "甲"}]), tmp_path / "a.parquet")
    assert next(read_entries([str(tmp_path / "a.parquet")])).id == "7"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "id,question\n1,甲\n2,乙\n1,丙\n",
            "a.csv, line 4: the id '1' occurs twice, first",
        ),
        ("a.csv", "id,question\n1,甲\n,乙\n", "line 3: the id must be a string or a whole number"),
        ("a.csv", "id,question\n1,甲\n2, \n", "line 3: the text is empty"),
        ("a.csv", "id,question\n1,甲\n2\n", "line 3: has 1 column, expected 2"),
        ("a.csv", "id,question,question\n1,甲,乙\n", "line 1: names a column more than once"),
        ("a.csv", "frage,antwort\n甲,乙\n", "line 1: which of 'frage', 'antwort' holds the texts"),
        ("a.csv", "question\n", "holds no text"),
        ("a.jsonl", '{"frage": "甲"}\n', "line 1: which of 'frage' holds the texts"),
        ("a.jsonl", '{"text": "甲"}\n{"question": "乙"}\n', "line 2: has no 'text', as the first"),
        ("a.jsonl", '{"text": "甲"}\n{"text": 7}\n', "line 2: the text must be a string, found 7"),
        ("a.jsonl", '{"text": "甲"}\n["乙"]\n', 'line 2: expected an object, found ["乙"]'),
        ("a.jsonl", '{"text": "甲"}\n{"text": \n', "line 2, column"),
        ("a.jsonl", '{"text": "\\ud83d"}\n', "line 1: holds half of a surrogate pair"),
        ("a.jsonl", '{"text": "甲", "answer": "\\ud83d"}\n', "line 1: holds half of a surrogate"),
        ("a.jsonl", '{"text": "甲", "id": true}\n', "line 1: the id must be a string or a whole"),
        ("a.jsonl", f'{{"text": "甲", "x": {"[" * 900}{"]" * 900}}}\n', "line 1"),
        ("a.txt", "\n \n", "holds no text"),
        ("a.txt", "", "the file is empty"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_place(tmp_path, name, content, message) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        list(read_entries([str(tmp_path / name)]))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "id,question\n1,甲\n"), ("a.txt", "甲\n"), ("a.json", '{"1": ["甲", "乙"]}')],
)
def test_a_column_that_is_not_there_is_refused(tmp_path, name, content) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match="column"):
        list(read_entries([str(tmp_path / name)], column="answer"))


def test_bytes_are_no_field(tmp_path) -> None:
    table = pa.Table.from_pylist([{"text": "甲", "picture": b"x"}])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"row 1, 'picture': holds bytes"):
        list(read_entries([str(tmp_path / "a.parquet")]))


def test_questions_may_share_what_is_an_id_elsewhere(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("query,id\n怎么退票,r\n如何退票,r\n", encoding="utf-8")
    assert read_questions([str(path)]) == ["怎么退票", "如何退票"]
    path.write_text("query,id\n怎么退票,r\n ,r\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.csv, line 3: the text is empty"):
        read_questions([str(path)])
    path.write_text("query,id\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds no text"):
        read_questions([str(path)])


def test_the_same_id_in_two_files_occurs_twice(tmp_path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("id,text\n1,甲\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"b\.csv, line 2: the id '1' occurs twice, first in .*a\."):
        list(read_entries([str(tmp_path)]))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("甲", "expected a list of texts or of Entry"),
        (7, "expected a list of texts or of Entry"),
        (["甲", 7], "entry 2: expected a text or an Entry, found 7"),
        ([("a", "甲")], "entry 1: expected a text or an Entry"),
        ([Entry("a", "甲", {"x": b""})], "entry 1, 'x': holds bytes"),
        ([Entry(1, "甲", {})], "entry 1: expected a text or an Entry"),
        ([" "], "entry 1: the text is empty"),
    ],
)
def test_what_a_caller_gives_is_checked(entries, message) -> None:
    with pytest.raises(UserError, match=message):
        list(checked_entries(entries))
