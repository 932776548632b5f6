"""`siamese dedup`: what stays, what goes and why, in every kind of file."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents
from small_encoder import small_encoder

from siamese.errors import UserError
from siamese.search.dedup import Rows, examples, find, write

FAQ = [
    {"question": "怎么修改密码", "answer": "设置, 里", "id": "7"},
    {"question": "快递到哪了", "answer": "", "id": "8"},
    {"question": "怎么修改密码", "answer": "别处", "id": "9"},
    {"question": "快递到哪了？", "answer": 'say "a"', "id": "10"},
    {"question": " ", "answer": "没有", "id": "11"},
    {"question": "WI-FI 的密码是什么", "answer": "0", "id": "12"},
    {"question": "wi-fi 的密码是什么", "answer": "0", "id": "13"},
    {"question": "ไทย", "answer": "", "id": "14"},
    {"question": "한국어", "answer": "", "id": "15"},
    {"question": "ไทย", "answer": "", "id": "16"},
]
# By similarity 快递到哪了？ is nearer than any other two.
THRESHOLD = 0.9
STAY = ["7", "8", "12", "14", "15"]


@pytest.fixture(scope="module")
def encoder():
    return small_encoder("text.lowercase=true")


def written(folder, ending, rows=FAQ):
    path = folder / f"faq{ending}"
    if ending == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            if ending == ".csv":
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            else:
                lines = [list(rows[0]), *(list(row.values()) for row in rows)]
                file.writelines("\t".join(map(str, line)) + "\n" for line in lines)
    return str(path)


def read(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        names, *lines = (line.rstrip("\n").split("\t") for line in file)
        return [dict(zip(names, line, strict=True)) for line in lines]


def test_the_sample_is_as_its_comment_says(encoder):
    texts = [row["question"] for row in FAQ[:4:3]] + [FAQ[1]["question"], FAQ[5]["question"]]
    similarities = encoder.similarity(texts, texts)
    assert similarities[1, 2] > THRESHOLD
    similarities[1, 2] = similarities[2, 1] = 0
    assert (similarities - np.eye(4)).max() < THRESHOLD


@pytest.mark.parametrize("source", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("target", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_what_stays_keeps_its_columns_in_every_kind_of_file(encoder, tmp_path, source, target):
    rows = Rows([written(tmp_path, source)])
    output = tmp_path / f"kept{target}"
    write(find(rows, encoder, THRESHOLD), rows, str(output), None)
    kept = read(output)
    assert [row["id"] for row in kept] == STAY
    assert kept == [row for row in FAQ if row["id"] in STAY]
    assert sorted(contents(tmp_path)) == sorted([f"faq{source}", f"kept{target}"])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_the_report_says_why_each_goes_and_what_it_is_a_duplicate_of(encoder, tmp_path, ending):
    rows = Rows([written(tmp_path, ".jsonl")])
    found = find(rows, encoder, THRESHOLD)
    write(found, rows, str(tmp_path / "kept.txt.jsonl"), str(tmp_path / f"gone{ending}"))
    gone = read(tmp_path / f"gone{ending}")
    similarity = encoder.similarity("快递到哪了", "快递到哪了？")
    assert [tuple(row.values())[:6] for row in gone] == [
        tuple(map(type_of(gone), row))
        for row in [
            (3, "怎么修改密码", "exact", "input", 1, "怎么修改密码"),
            (4, "快递到哪了？", "near", "input", 2, "快递到哪了"),
            (5, " ", "blank", None, None, None),
            (7, "wi-fi 的密码是什么", "exact", "input", 6, "WI-FI 的密码是什么"),
            (10, "ไทย", "exact", "input", 8, "ไทย"),
        ]
    ]
    assert [float(row["similarity"] or 0) for row in gone] == [1, similarity, 0, 1, 1]
    assert found.unknown == 2
    assert [row["text"] for row in examples(found)] == ["快递到哪了？"]


def type_of(rows):
    """How a value stands in a file that knows only strings."""
    if isinstance(rows[0]["row"], int):
        return lambda value: value
    return lambda value: "" if value is None else str(value)


def test_older_texts_come_first_and_stay(encoder, tmp_path):
    older = tmp_path / "older.txt"
    older.write_text("快递到哪了\n快递到哪了？\nWi-Fi 的密码是什么\n\n", encoding="utf-8")
    rows = Rows([written(tmp_path, ".csv")])
    found = find(rows, encoder, THRESHOLD, Rows([str(older)]))
    write(found, rows, str(tmp_path / "kept.csv"), str(tmp_path / "gone.jsonl"))
    assert [row["id"] for row in read(tmp_path / "kept.csv")] == ["7", "14", "15"]
    assert [
        (row["row"], row["reason"], row["of"], row["of_row"])
        for row in read(tmp_path / "gone.jsonl")
    ] == [
        (2, "exact", "older", 1),
        (3, "exact", "input", 1),
        (4, "exact", "older", 2),
        (5, "blank", None, None),
        (6, "exact", "older", 3),
        (7, "exact", "older", 3),
        (10, "exact", "input", 8),
    ]


def test_a_copy_of_what_went_goes_as_a_near_one_of_what_stays(encoder, tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("快递到哪了\n快递到哪了？\n快递到哪了？\n快递到哪了\n", encoding="utf-8")
    found = find(Rows([str(path)]), encoder, THRESHOLD)
    reported = found.removed(np.arange(1, 4))
    assert [(row["reason"], row["of_row"]) for row in reported] == [
        ("near", 1),
        ("near", 1),
        ("exact", 1),
    ]


def test_a_second_time_nothing_goes(encoder, tmp_path):
    rows = Rows([written(tmp_path, ".csv")])
    write(find(rows, encoder, THRESHOLD), rows, str(tmp_path / "kept.csv"), None)
    again = find(Rows([str(tmp_path / "kept.csv")]), encoder, THRESHOLD)
    assert again.count(0) == len(STAY) == len(again.texts)


class TestRefused:
    @pytest.mark.parametrize(
        ("output", "report", "message"),
        [
            ("kept", None, "what shall it be"),
            ("kept.csv", "gone.txt", "what shall it be"),
            ("kept.txt", None, "has the columns question, answer, id, which a .txt"),
            ("faq.csv", None, "is the input too"),
            ("kept.csv", "faq.csv", "is the input too"),
        ],
    )
    def test_an_output_that_cannot_be_written(self, encoder, tmp_path, output, report, message):
        rows = Rows([written(tmp_path, ".csv")])
        found = find(rows, encoder, THRESHOLD)
        before = contents(tmp_path)
        with pytest.raises(UserError, match=message):
            write(found, rows, str(tmp_path / output), report and str(tmp_path / report))
        assert contents(tmp_path) == before

    @pytest.mark.parametrize(
        ("values", "ending", "message"),
        [
            ([1, "a"], ".parquet", "'n' holds values of several types"),
            (["a\tb", "c"], ".tsv", "holds a tab or the end of a line"),
            (["\ud800", "c"], ".csv", "half of a surrogate pair"),
        ],
    )
    def test_values_that_a_file_cannot_hold(self, encoder, tmp_path, values, ending, message):
        rows = [
            {"text": text, "n": value}
            for text, value in zip(["怎么", "快递到哪了"], values, strict=True)
        ]
        given = Rows([written(tmp_path, ".jsonl", rows)])
        with pytest.raises(UserError, match=message):
            write(find(given, encoder, 1), given, str(tmp_path / f"kept{ending}"), None)
        assert sorted(contents(tmp_path)) == ["faq.jsonl"]

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"text": 7}', r"line 2: the text must be a string"),
            ('{"text": "\\ud800"}', r"line 2: holds half of a surrogate pair"),
            ("{", r"line 2, column 2: not valid JSON"),
        ],
    )
    def test_rows_that_are_none(self, encoder, tmp_path, line, message):
        path = tmp_path / "a.jsonl"
        path.write_text('{"text": "怎么"}\n' + line + "\n", encoding="utf-8")
        with pytest.raises(UserError, match=message):
            find(Rows([str(path)]), encoder)

    def test_an_input_that_changes_on_the_way(self, encoder, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("怎么\n快递到哪了\n", encoding="utf-8")
        rows = Rows([str(path)])
        found = find(rows, encoder)
        path.write_text("怎么\n", encoding="utf-8")
        with pytest.raises(UserError, match="changed while it was read"):
            write(found, rows, str(tmp_path / "kept.csv"), None)
        assert not (tmp_path / "kept.csv").exists()

    def test_no_text_at_all(self, encoder, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("\n \n", encoding="utf-8")
        with pytest.raises(UserError, match="no text in it"):
            find(Rows([str(path)]), encoder)
