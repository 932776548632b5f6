"""Labelled pairs separated by tabs or commas: headers, quotes, and malformed rows."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_files import (
    TSV,
    in_memory,
    read,
    refusal,
    text_rows,
    write,
)

from siamese.data.cleaning import ReadingCounts
from siamese.data.format import find_inputs
from siamese.data.grades import to_pairs
from siamese.data.group import Group
from siamese.data.reading import read_groups, read_texts
from siamese.errors import UserError


def test_quoted_csv_keeps_commas_quotes_and_line_ends(tmp_path):
    file = write(tmp_path / "a.csv", '"你好,\n在吗","您好, ""在""吗",1\r\n')
    assert read(file)[0] == [Group("0", ("你好,\n在吗", '您好, "在"吗'))]


def test_quotes_in_tsv_are_text(tmp_path):
    file = write(tmp_path / "a.tsv", '"你好\t他说"好"\t1\n')
    assert read(file)[0] == [Group("0", ('"你好', '他说"好"'))]


@pytest.mark.parametrize("first", ["标签\ty\t1\n", "label\t标题\t1\n"])
def test_a_first_row_that_ends_in_a_label_is_no_header(tmp_path, first):
    file = write(tmp_path / "a.tsv", first + TSV)
    assert read(file)[0][0].texts == tuple(first.split("\t")[:2])


@given(
    st.lists(
        st.tuples(
            *[st.text(st.characters(codec="utf-8", exclude_characters="\0\t\n\r\ufeff"))] * 2,
            st.sampled_from([0, 1]),
        )
    )
)
def test_any_pair_is_read_as_it_is(rows):
    table = io.StringIO()
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows(rows)
    header = "text1{0}text2{0}label\n"
    for suffix, content in (
        (".tsv", header.format("\t") + text_rows("\t", rows)),
        (".csv", header.format(",") + table.getvalue()),
    ):
        [(file, format)] = find_inputs([in_memory(suffix, content.encode())])
        pairs = to_pairs(format.pair_rows(file))
        assert [(p.text1, p.text2, p.label) for p in pairs] == rows


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("a.tsv", "a\tb\t1\nc\td\n", ["line 2", "2 columns", "expected 3", "tabs"]),
        ("a.tsv", "a b 1\n", ["line 1", "1 column,", "tabs"]),
        ("a.txt", "a\tb\t1\tx\n", ["line 1", "4 columns", "expected 3"]),
        ("a.csv", "a;b;1\n", ["line 1", "1 column,", "commas"]),
        ("a.csv", "a,b,c,1\n", ["line 1", "4 columns"]),
        ("a.tsv", "text1\tlabel\na\t1\n", ["line 1", "2 columns"]),
        ("a.tsv", "id\ttext1\ttext2\tlabel\n1\ta\tb\t1\na\tb\t1\n", ["line 3", "expected 4"]),
        ("a.tsv", "a\tb\t1\na\tb\t2\n", ["line 2", "'2'", "0 or 1"]),
        ("a.csv", "a,b,same\n", ["line 1", "'same'", "0 or 1"]),
        ("a.tsv", "a\tb\t\n", ["line 1", "''", "0 or 1"]),
        (
            "a.tsv",
            "text1\ttext2\tlabel\na\tb\t1\na\tc\t7\n",
            ["line 3", "'7'", "0 or 1", "grade from 0 to 5", "label_0_to_7"],
        ),
        ("a.tsv", "a\tb\t0\nc\td\t0\n", ["no positive pair", "among 2", "label column"]),
        ("a.tsv", "text1\ttext2\tlabel\n", ["no positive pair"]),
        ("a.tsv", "\n\n", ["no positive pair"]),
        ("a.tsv", "a\tb\t1\n\tb\t1\n", ["line 2", "empty text", "Remove"]),
        ("a.csv", "a,b,1\na, ,0\n", ["line 2", "empty text", "Remove"]),
        ("a.csv", 'a,b,1\nc,"d,1\n', ["line 2", "not valid CSV"]),
        ("a.csv", 'a,b,1\n"c"x,d,1\n', ["line 2", "not valid CSV"]),
        ("a.xyz", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
        ("a.xml.gz", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
        ("a", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
    ],
)
def test_pairs_and_endings(tmp_path, name, content, fragments):
    file = write(tmp_path / name, content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []


@pytest.mark.parametrize("ending", ["tsv", "csv"])
def test_a_header_whose_texts_are_not_clear_is_refused(tmp_path, ending):
    sep = "\t" if ending == "tsv" else ","
    for names in (["id", "sentA", "sentB", "label"], ["a", "b", "c", "label"]):
        rows = [names, ["1", "你好", "您好", "1"], ["2", "再见", "您好", "0"]]
        path = tmp_path / f"a.{ending}"
        path.write_text("\n".join(sep.join(row) for row in rows), encoding="utf-8")
        with pytest.raises(UserError, match=r"line 1: has the columns .*Name them text1, text2"):
            list(read_groups([str(path)], ReadingCounts()))


def test_two_columns_of_one_name_are_two_texts(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("text\ttext\tlabel\n你好\t您好\t1\n", encoding="utf-8")
    assert [g.texts for g in read_groups([str(path)], ReadingCounts())] == [("你好", "您好")]


def test_a_first_line_that_may_be_a_header_gets_a_hint(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("s1\ts2\tgold\n你好\t您好\t1\n", encoding="utf-8")
    with pytest.raises(UserError, match="name the third column `label`"):
        list(read_groups([str(path)], ReadingCounts()))


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@pytest.mark.parametrize(
    "labels",
    [
        ("1", "0"),
        ("1.0", "0.0"),
        ("true", "false"),
        ("TRUE", "False"),
        ("yes", "NO"),
        (" 1 ", "0 "),
    ],
    ids="-".join,
)
@pytest.mark.parametrize("header", [True, False])
def test_labels_as_programs_and_people_write_them(tmp_path, suffix, labels, header):
    sep = "\t" if suffix == ".tsv" else ","
    rows = [("甲", "乙", labels[0]), ("甲", "丙", labels[1])]
    content = text_rows(sep, [("text1", "text2", "label")] * header + rows)
    assert read(write(tmp_path / f"a{suffix}", content))[0] == [Group("0", ("甲", "乙"), ("丙",))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("excel.csv", "text1,text2,label\n甲,乙,1\n,,\n甲,丙,0\n,,\n,,,,\n"),
        ("blank cells.tsv", "甲\t乙\t1\n\t\t\n甲\t丙\t0\n \t\t\n"),
        ("index.csv", ",q,a,label\n0,甲,乙,1\n1,甲,丙,0\n"),
        ("comma too many.csv", "q,a,label,\n甲,乙,1,\n甲,丙,0,\n"),
        ("bom in a header.csv", "label,\ufeffq,\ufeffa\n1,甲,乙\n0,甲,丙\n"),
        ("double line ends.tsv", "甲\t乙\t1\r\r\n甲\t丙\t0\r\r\n"),
    ],
)
def test_tables_as_programs_leave_them(tmp_path, name, content):
    assert read(write(tmp_path / name, content))[0] == [Group("0", ("甲", "乙"), ("丙",))]


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_texts_of_any_length_and_with_html_are_kept(tmp_path, suffix):
    long, html = "长" * 200_000, "a&amp;b<br>\u2028&#x41;"
    content = text_rows("\t" if suffix == ".tsv" else ",", [(long, html, 1)])
    assert read(write(tmp_path / f"a{suffix}", content))[0] == [Group("0", (long, html))]


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("a.csv", "text1;text2;label\n甲;乙;1\n", ["line 1", "semicolons", "with commas"]),
        ("a.csv", TSV, ["line 1", "tabs", "name the file .tsv"]),
        ("a.tsv", TSV.replace("\t", ","), ["line 1", "commas", "name the file .csv"]),
        ("a.tsv", TSV.replace("\n", "\r"), ["line 1", "carriage return", "Unix or Windows"]),
        ("a.csv", "甲,乙,1\r丙,丁,1\r", ["line 1", "carriage return"]),
        ("a.tsv", "甲\t乙\t1\n\0\0\0\n", ["line 2", "NUL", "--encoding"]),
        ("a.csv", "甲,乙,1\n\0\0\0\n", ["line 2", "NUL", "--encoding"]),
        ("a.tsv", "甲\t乙\t1\n甲\t丙\t4.5\n", ["line 2", "'4.5'", "how similar", "and score"]),
        ("a.csv", "甲,乙,1\n甲,丙,-1\n", ["line 2", "'-1'", "0 or 1"]),
        ("a.csv", "甲,乙,1\n甲,丙,nan\n", ["line 2", "'nan'", "0 or 1"]),
    ],
)
def test_other_tables_are_refused_with_what_to_do(tmp_path, name, content, fragments):
    file = write(tmp_path / name, content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []


def test_a_carriage_return_in_a_line_of_text_is_refused(tmp_path):
    file = write(tmp_path / "a.txt", "甲\r乙\r")
    with pytest.raises(UserError, match=r"a\.txt, line 1: has a carriage return inside"):
        list(read_texts([str(file)]))
