"""Reading groups, pairs and texts: every accepted format gives the same."""

import json
from collections import Counter
from itertools import islice

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_files import (
    AS_GROUPS,
    AS_JOINED,
    BOM,
    CSV,
    FIRST,
    GBK,
    GROUPS,
    JSON,
    JSON_LINES,
    LABEL,
    PAIRS,
    SECOND,
    TSV,
    in_memory,
    parquet,
    read,
    refusal,
    text_rows,
    write,
)

from siamese.data.cleaning import ReadingCounts
from siamese.data.data_file import DataFile
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.data.reading import read_groups, read_pairs, read_texts
from siamese.errors import UserError

unicode_text = st.text(st.characters(codec="utf-8"))


solid_text = unicode_text.filter(str.strip)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", JSON),
        ("a.JSON", JSON),
        ("bom.json", BOM + JSON.encode()),
        ("escaped.json", json.dumps(GROUPS)),
        ("crlf.json", JSON.replace("\n", "\r\n")),
        ("a.jsonl", JSON_LINES),
        ("bom.jsonl", BOM + JSON_LINES.encode()),
        ("crlf-and-blank.jsonl", JSON_LINES.replace("\n", "\r\n\r\n")),
        ("number-as-id.jsonl", JSON_LINES.replace('"7"', "7")),
        ("null-negatives.jsonl", JSON_LINES.replace("]}", '], "negatives": null}')),
        ("id.parquet", parquet(id=list(GROUPS), texts=list(GROUPS.values()))),
        ("group_id.parquet", parquet(group_id=list(GROUPS), texts=list(GROUPS.values()))),
        ("whole-numbers.parquet", parquet(texts=list(GROUPS.values()), id=[0, 7])),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[-9:] else "",
)
def test_groups(tmp_path, name, content):
    assert read(write(tmp_path / name, content))[0] == AS_GROUPS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", TSV),
        ("a.txt", TSV),
        ("bom.tsv", BOM + TSV.encode()),
        ("crlf.tsv", TSV.replace("\n", "\r\n")),
        ("no-last-line-end.tsv", TSV.rstrip("\n")),
        ("blank-lines.tsv", "\n" + TSV.replace("\n", "\n\n")),
        ("header.tsv", "text1\ttext2\tlabel\n" + TSV),
        ("header.txt", "sentence1\tsentence2\tlabel\n" + TSV),
        ("bom-header.csv", BOM + b"question1,question2,similar\n" + CSV.encode()),
        ("unknown-text-names.csv", "问,答,标签\n" + CSV),
        ("upper-case-header.tsv", "Text1\tText2\tLabel\n" + TSV),
        ("texts-named-x-and-y.tsv", "x\ty\tlabel\n" + TSV),
        ("a.csv", CSV),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("quoted.csv", text_rows(",", [tuple(f'"{cell}"' for cell in row) for row in PAIRS])),
        (
            "reordered.tsv",
            text_rows("\t", [("label", "text2", "text1"), *(row[::-1] for row in PAIRS)]),
        ),
        (
            "reordered-with-more.csv",
            text_rows(
                ",", [("id", "text2", "label", "text1"), *((9, b, y, a) for a, b, y in PAIRS)]
            ),
        ),
        ("a.parquet", parquet(text1=FIRST, text2=SECOND, label=LABEL)),
        ("reordered.parquet", parquet(label=LABEL, id=[4, 5, 6], text2=SECOND, text1=FIRST)),
        (
            "float-label.parquet",
            parquet(text1=FIRST, text2=SECOND, label=[float(y) for y in LABEL]),
        ),
        (
            "bool-label.parquet",
            parquet(text1=FIRST, text2=SECOND, label=[bool(y) for y in LABEL]),
        ),
        (
            "string-label.parquet",
            parquet(text1=FIRST, text2=SECOND, label=[str(y) for y in LABEL]),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_labelled_pairs_are_joined(tmp_path, name, content):
    groups, counts = read(write(tmp_path / name, content))
    assert groups == AS_JOINED
    assert counts.pairs_read == len(PAIRS)


def test_hard_negatives_are_kept_but_for_those_that_are_texts_of_the_group(tmp_path):
    row = {"id": "a", "texts": ["甲", "乙"], "negatives": ["丙", "甲", "丁", "丙"]}
    expected = [Group("a", ("甲", "乙"), ("丙", "丁"))]
    assert read(write(tmp_path / "a.jsonl", json.dumps(row)))[0] == expected
    content = parquet(**{key: [value] for key, value in row.items()})
    assert read(write(tmp_path / "a.parquet", content))[0] == expected


def test_groups_of_one_text_are_dropped_and_repeated_texts_folded_and_both_counted(tmp_path):
    groups, counts = read(
        write(tmp_path / "a.json", '{"a": ["x", "x", "y"], "b": ["z"], "c": ["w", "w"]}')
    )
    assert groups == [Group("a", ("x", "y"))]
    assert counts.as_dict() == {
        "groups_read": 3,
        "texts_read": 6,
        "groups_of_one_text_dropped": 2,
        "duplicate_texts_folded": 2,
        "pairs_read": 0,
        "contradicting_negatives_dropped": 0,
        "groups_of_one_text_kept": 0,
        "groups_of_one_text_kept_for_pairs": 0,
        "contradicting_labels": 0,
    }
    assert counts.characters == Counter("xxyzww")


def test_a_group_of_one_text_is_kept_for_its_negatives(tmp_path):
    rows = [
        {"id": "a", "texts": ["甲", "甲"], "negatives": ["乙"]},
        {"id": "b", "texts": ["丙"], "negatives": ["丙"]},
        {"id": "c", "texts": [], "negatives": ["丁"]},
    ]
    groups, counts = read(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert groups == [Group("a", ("甲",), ("乙",))]
    assert (counts.groups_of_one_text_kept, counts.groups_of_one_text_dropped) == (1, 2)


@given(
    st.dictionaries(unicode_text, st.lists(solid_text, max_size=5), min_size=1),
    st.booleans(),
    st.sampled_from([".json", ".jsonl", ".parquet"]),
)
def test_any_text_is_read_as_it_is(groups, escaped, suffix):
    if suffix == ".json":
        content = json.dumps(groups, ensure_ascii=escaped).encode()
    elif suffix == ".jsonl":
        rows = [{"id": key, "texts": texts} for key, texts in groups.items()]
        content = "\n".join(json.dumps(r, ensure_ascii=escaped) for r in rows).encode()
    else:
        texts = pa.array(list(groups.values()), pa.list_(pa.string()))
        content = parquet(id=list(groups), texts=texts)
    found, counts = read(in_memory(suffix, content))
    folded = {key: tuple(dict.fromkeys(texts)) for key, texts in groups.items()}
    assert found == [Group(key, texts) for key, texts in folded.items() if len(texts) > 1]
    assert counts.groups_of_one_text_dropped == len(groups) - len(found)
    assert counts.texts_read == sum(map(len, groups.values()))
    assert counts.duplicate_texts_folded == counts.texts_read - sum(map(len, folded.values()))
    assert counts.characters == Counter("".join(t for ts in groups.values() for t in ts))


@pytest.mark.parametrize(
    ("name", "line"),
    [("big.json", '"{}": ["甲{}", "乙{}"],\n'), ("big.jsonl", '{{"id": {}, "texts": {}{}}}\n')],
)
def test_reading_is_lazy(tmp_path, monkeypatch, name, line):
    if name.endswith(".json"):
        rows = [line.format(i, i, i) for i in range(40_000)]
        content = "{" + "".join(rows).removesuffix(",\n") + "}"
    else:
        content = "".join(line.format(i, '["甲", "乙"', "]") for i in range(40_000))
    file = write(tmp_path / name, content)
    streams = []
    original = DataFile.open
    monkeypatch.setattr(
        DataFile, "open", lambda self: streams.append(original(self)) or streams[-1]
    )
    groups = read_groups([str(file)], ReadingCounts())
    assert [group.id for group in islice(groups, 3)] == ["0", "1", "2"]
    still_open = [stream for stream in streams if not stream.closed]
    assert [stream.tell() < file.stat().st_size / 4 for stream in still_open] == [True]
    groups.close()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{\n"0": ["a", "b"],\n"1": ["%s", "c"]}'),
        ("bom.json", BOM + b'{\n"0": ["a", "b"],\n"%s": ["x", "c"]}'),
        ("a.jsonl", b'{"id": 1, "texts": ["b"]}\n\n{"id": 2, "texts": ["%s"]}\n'),
        ("a.tsv", b"a\tb\t1\nc\td\t1\n%s\tb\t1\n"),
        ("a.txt", b"a\tb\t1\nc\td\t1\n%s\tb\t1\n"),
        ("a.csv", b'a,b,1\n"c\n%s",d,1\n'),
    ],
)
def test_invalid_utf8_is_reported_with_its_line(tmp_path, name, content):
    # With Chinese in UTF-8 beside it: a file that is GBK throughout is read as such.
    mixed = (content % GBK).replace(b"b", "别的话".encode())
    message = refusal(write(tmp_path / name, mixed))
    assert f"{tmp_path / name}, line 3: not valid UTF-8" in message
    assert "Convert the file to UTF-8" in message


def test_a_group_is_named_once(tmp_path):
    file = write(tmp_path / "a.parquet", parquet(id=[1], texts=["ab"]))
    assert refusal(file).count("group '1'") == 1


@given(
    st.sampled_from([".json", ".jsonl", ".tsv", ".txt", ".csv", ".parquet"]),
    st.binary() | st.text(alphabet='{}[]":,\\\n\t01ab label"', max_size=40).map(str.encode),
)
def test_any_bytes_give_groups_or_a_sentence(suffix, content):
    uri = in_memory(suffix, content)
    try:
        read(uri)
    except UserError as error:
        assert uri.removeprefix("memory:/").lstrip("/") in str(error)


class TestTexts:
    @pytest.mark.parametrize(
        ("name", "content", "texts"),
        [
            ("a.json", '{"0": ["甲", "甲"], "1": ["乙"]}', ["甲", "甲", "乙"]),
            ("a.tsv", "甲\t\t0\n乙\t丙\t1\n", ["甲", "", "乙", "丙"]),
            ("pairs.txt", "甲\t甲\t0\n乙\t丙\t1\n", ["甲", "甲", "乙", "丙"]),
            ("lines.txt", "甲\n\n甲 乙\n", ["甲", "", "甲 乙"]),
            ("crlf.txt", BOM + "甲\r\n乙".encode(), ["甲", "乙"]),
        ],
        ids=lambda value: value if isinstance(value, str) and "." in value[-6:] else "",
    )
    def test_every_text_comes_in_order(self, tmp_path, name, content, texts):
        assert list(read_texts([str(write(tmp_path / name, content))])) == texts

    def test_invalid_utf8_is_reported_with_its_line(self, tmp_path):
        file = write(tmp_path / "a.txt", "甲\n".encode() + GBK + b"\n")
        with pytest.raises(UserError, match=r"a\.txt, line 2: not valid UTF-8"):
            list(read_texts([str(file)]))


class TestReadPairs:
    def test_files_are_read_in_order_and_texts_may_be_empty(self, tmp_path):
        (tmp_path / "b.tsv").write_text("x\t\t0\n", encoding="utf-8")
        (tmp_path / "a.csv").write_text("label,text1,text2\n1,y,z\n", encoding="utf-8")
        found = read_pairs([str(tmp_path / "b.tsv"), str(tmp_path / "a.csv")])
        assert found == [Pair("x", "", 0), Pair("y", "z", 1)]

    @pytest.mark.parametrize(
        ("label", "missing"), [(1, r"negative \(label 0\)"), (0, r"positive \(label 1\)")]
    )
    def test_pairs_of_one_label_only_are_refused(self, tmp_path, label, missing):
        file = tmp_path / "dev.tsv"
        file.write_text(f"a\tb\t{label}\nc\td\t{label}\n", encoding="utf-8")
        with pytest.raises(UserError, match=rf"dev\.tsv: no {missing} pair among 2"):
            read_pairs([str(file)])

    @pytest.mark.parametrize("name", ["train.json", "groups.jsonl"])
    def test_groups_in_the_place_of_pairs_are_refused_as_such(self, tmp_path, name):
        file = tmp_path / name
        file.write_text('{"id": "0", "texts": ["a", "b"]}\n', encoding="utf-8")
        with pytest.raises(UserError, match=r"\.tsv") as error:
            read_pairs([str(file)])
        assert str(file) in str(error.value)
