"""Reading groups: every accepted format, and a sentence for every malformed one."""

import csv
import io
import json
import uuid
from collections import Counter
from itertools import islice
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from siamese.data.cleaning import ReadingCounts
from siamese.data.data_file import DataFile
from siamese.data.format import find_inputs
from siamese.data.group import Group
from siamese.data.pair import to_pairs
from siamese.data.reading import read_groups, read_texts
from siamese.errors import UserError

BOM = b"\xef\xbb\xbf"
GBK = "怎么".encode("gbk")  # the commonest way for a Chinese file not to be UTF-8
GROUPS = {"0": ["怎么办卡", "如何办卡"], "7": ["挂失", "卡丢了", "我的卡丢了😱"]}
AS_GROUPS = [Group(key, tuple(texts)) for key, texts in GROUPS.items()]
PAIRS = [("怎么办卡", "如何办卡", 1), ("怎么办卡", "怎么销卡", 0), ("挂失", "卡丢了", 1)]
AS_JOINED = [Group("0", ("怎么办卡", "如何办卡"), ("怎么销卡",)), Group("1", ("挂失", "卡丢了"))]

unicode_text = st.text(st.characters(codec="utf-8"))
solid_text = unicode_text.filter(str.strip)


def read(*inputs: object) -> tuple[list[Group], ReadingCounts]:
    counts = ReadingCounts()
    return list(read_groups([str(i) for i in inputs], counts)), counts


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


class TestAccepted:
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
    def test_groups(self, tmp_path, name, content):
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
    def test_labelled_pairs_are_joined(self, tmp_path, name, content):
        groups, counts = read(write(tmp_path / name, content))
        assert groups == AS_JOINED
        assert counts.pairs_read == len(PAIRS)

    def test_quoted_csv_keeps_commas_quotes_and_line_ends(self, tmp_path):
        file = write(tmp_path / "a.csv", '"你好,\n在吗","您好, ""在""吗",1\r\n')
        assert read(file)[0] == [Group("0", ("你好,\n在吗", '您好, "在"吗'))]

    def test_quotes_in_tsv_are_text(self, tmp_path):
        file = write(tmp_path / "a.tsv", '"你好\t他说"好"\t1\n')
        assert read(file)[0] == [Group("0", ('"你好', '他说"好"'))]

    @pytest.mark.parametrize("first", ["标签\ty\t1\n", "label\t标题\t1\n"])
    def test_a_first_row_that_ends_in_a_label_is_no_header(self, tmp_path, first):
        file = write(tmp_path / "a.tsv", first + TSV)
        assert read(file)[0][0].texts == tuple(first.split("\t")[:2])

    def test_hard_negatives_are_kept_but_for_those_that_are_texts_of_the_group(self, tmp_path):
        row = {"id": "a", "texts": ["甲", "乙"], "negatives": ["丙", "甲", "丁", "丙"]}
        expected = [Group("a", ("甲", "乙"), ("丙", "丁"))]
        assert read(write(tmp_path / "a.jsonl", json.dumps(row)))[0] == expected
        content = parquet(**{key: [value] for key, value in row.items()})
        assert read(write(tmp_path / "a.parquet", content))[0] == expected

    def test_groups_of_one_text_are_dropped_and_repeated_texts_folded_and_both_counted(
        self, tmp_path
    ):
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
        }
        assert counts.characters == Counter("xxyzww")

    def test_a_group_of_one_text_is_kept_for_its_negatives(self, tmp_path):
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
    def test_any_text_is_read_as_it_is(self, groups, escaped, suffix):
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

    @pytest.mark.parametrize("shift", range(13))
    def test_an_escaped_character_across_two_reads(self, tmp_path, shift):
        start = '{"k": ["'
        for size in (1 << 16, 1 << 20):  # as much as is read at once
            filling = "a" * (size - shift - len(start))
            file = write(tmp_path / "a.json", f'{start}{filling}\\ud83d\\ude31", "\\\\ud83d"]}}')
            assert read(file)[0] == [Group("k", (f"{filling}😱", "\\ud83d"))]

    @given(
        st.lists(
            st.tuples(
                *[st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\ufeff"))] * 2,
                st.sampled_from([0, 1]),
            )
        )
    )
    def test_any_pair_is_read_as_it_is(self, rows):
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
        ("name", "line"),
        [("big.json", '"{}": ["甲{}", "乙{}"],\n'), ("big.jsonl", '{{"id": {}, "texts": {}{}}}\n')],
    )
    def test_reading_is_lazy(self, tmp_path, monkeypatch, name, line):
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
        assert [stream.tell() < file.stat().st_size / 4 for stream in streams] == [True]
        groups.close()


class TestWhere:
    @pytest.fixture
    def folder(self, tmp_path):
        write(tmp_path / "in" / "b.json", '{"0": ["b1", "b2"]}')
        write(tmp_path / "in" / "a.json", '{"0": ["a1", "a2"]}')
        write(tmp_path / "in" / "deep" / "c.jsonl", '{"id": 0, "texts": ["c1", "c2"]}')
        write(tmp_path / "in" / "deep" / "d.tsv", "d1\td2\t1\n")
        write(tmp_path / "in" / "notes.md", "not data")
        return tmp_path / "in"

    @pytest.mark.parametrize(
        ("pattern", "ids"),
        [
            ("a.json", ["0"]),
            ("*.json", ["a/0", "b/0"]),
            ("[b].json", ["0"]),
            ("**/*.jsonl", ["0"]),
            ("", ["a/0", "b/0", "c/0", "pairs/0"]),
            ("deep", ["0", "pairs/0"]),
        ],
    )
    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_paths_globs_and_folders(self, folder, pattern, ids, scheme):
        groups, _ = read(f"{scheme}{folder}/{pattern}".rstrip("/"))
        assert [group.id.removeprefix("c/") for group in groups] == [
            id.removeprefix("c/") for id in ids
        ]

    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet", "a.tsv", "a.csv"])
    @pytest.mark.parametrize("scheme", ["file", "memory"])
    def test_uris(self, tmp_path, name, scheme):
        content: dict[str, bytes | str] = {
            ".json": JSON,
            ".jsonl": JSON_LINES,
            ".parquet": parquet(id=list(GROUPS), texts=list(GROUPS.values())),
            ".tsv": TSV,
            ".csv": CSV,
        }
        file = write(tmp_path / name, content[Path(name).suffix])
        uri = file.as_uri() if scheme == "file" else in_memory(file.suffix, file.read_bytes())
        assert read(uri)[0] == (AS_JOINED if file.suffix in (".tsv", ".csv") else AS_GROUPS)

    def test_a_name_with_the_characters_of_a_pattern_is_a_name_if_there_is_such_a_file(
        self, tmp_path
    ):
        assert read(write(tmp_path / "train[1].json", JSON))[0] == AS_GROUPS

    def test_several_inputs_keep_their_order(self, folder):
        groups, _ = read(folder / "b.json", folder / "a.json")
        assert [group.texts[0] for group in groups] == ["b1", "a1"]

    def test_pairs_of_several_files_are_joined_together(self, tmp_path):
        one = write(tmp_path / "1.tsv", "a\tb\t1\n")
        two = write(tmp_path / "2.csv", "b,c,1\n")
        assert read(one, two)[0] == [Group("0", ("a", "b", "c"))]

    @pytest.mark.parametrize(
        "names",
        [
            ["a.json", "b.json"],
            ["one/a.json", "two/a.json"],
            ["a.json", "a.jsonl"],
            ["pairs.json", "x.tsv"],
            ["a.json", "b/0.jsonl"],
        ],
        ids=" ".join,
    )
    def test_group_ids_are_distinct_over_several_files(self, tmp_path, names):
        content = {
            ".json": '{"0": ["a", "b"], "b/0": ["c", "d"]}',
            ".jsonl": '{"id": "0", "texts": ["a", "b"]}',
            ".tsv": "a\tb\t1\n",
        }
        files = [write(tmp_path / name, content[Path(name).suffix]) for name in names]
        ids = [group.id for group in read(*files)[0]]
        assert len(ids) >= 2
        assert len(set(ids)) == len(ids)

    def test_a_file_given_twice_does_not_give_the_same_id_twice(self, folder):
        ids = [group.id for group in read(folder / "a.json", folder / "*.json")[0]]
        assert len(set(ids)) == len(ids)


class TestMalformed:
    """Each message names the file, the place in it and what is wrong or what to do."""

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.json", b'{\n"0": ["a", "b"],\n"1": ["%s", "c"]}'),
            ("bom.json", BOM + b'{\n"0": ["a", "b"],\n"%s": ["x", "c"]}'),
            ("a.jsonl", b'{"id": 1, "texts": ["a"]}\n\n{"id": 2, "texts": ["%s"]}\n'),
            ("a.tsv", b"a\tb\t1\nc\td\t1\n%s\tb\t1\n"),
            ("a.txt", b"a\tb\t1\nc\td\t1\n%s\tb\t1\n"),
            ("a.csv", b'a,b,1\n"c\n%s",d,1\n'),
        ],
    )
    def test_invalid_utf8_is_reported_with_its_line(self, tmp_path, name, content):
        message = refusal(write(tmp_path / name, content % GBK))
        assert f"{tmp_path / name}, line 3: not valid UTF-8" in message
        assert "Convert the file to UTF-8" in message

    def test_invalid_utf8_far_down_a_large_json_is_reported_with_its_line(self, tmp_path):
        rows = [b'"%d": ["a", "b"]' % i for i in range(20_000)]
        rows[17_000] = b'"x": ["%s"]' % GBK
        message = refusal(write(tmp_path / "a.json", b"{" + b",\n".join(rows) + b"}"))
        assert "a.json, line 17001: not valid UTF-8" in message

    @pytest.mark.parametrize(
        ("content", "fragments"),
        [
            ('[["a", "b"]]', ['[["a", "b"]]', "{id: [text, …]}"]),
            ('[{"0": ["a", "b"]}]', ["{id: [text, …]}"]),
            ('"text"', ['"text"', "{id: [text, …]}"]),
            ("{}", ["empty"]),
            (" \n", ["not valid JSON"]),
            ('{"k": "ab"}', ["group 'k'", "list of strings", '"ab"']),
            ('{"k": {"a": ["x"]}}', ["group 'k'", "list of strings", '{"a": ["x"]}']),
            ('{"k": null}', ["group 'k'", "list of strings", "null"]),
            ('{"k": ["a", 1.5]}', ["group 'k'", "strings", "1.5"]),
            ('{"k": ["a", null]}', ["group 'k'", "strings", "null"]),
            ('{"k": ["a", ["b"]]}', ["group 'k'", "strings", '["b"]']),
            ('{"k": ["a", ""]}', ["group 'k'", "empty text", "Remove"]),
            ('{"k": ["a", " \\t"]}', ["group 'k'", "empty text", "Remove"]),
            ('{"0": ["a", "b"],\n"1": ["c" "d"]}', ["line 2, column 11", "not valid JSON"]),
            ('{"0": ["a", "b"],\n"1": ["c",', ["line 2", "not valid JSON"]),
            ('{"0": ["a", "b"]}\n{"1": ["c", "d"]}', ["line 2", "not valid JSON"]),
            ('{"0": ["a", "b"],}', ["line 1", "not valid JSON"]),
            ("{'0': ['a', 'b']}", ["line 1", "not valid JSON"]),
            ('{"0": ["a", NaN]}', ["NaN"]),
            ('{"k": ["a", %s]}' % ("1" * 5000), []),
            ('{"k": %s}' % ("[" * 3000 + "]" * 3000), []),
        ],
        ids=lambda value: value[:40] if isinstance(value, str) else "",
    )
    def test_json(self, tmp_path, content, fragments):
        file = write(tmp_path / "a.json", content)
        message = refusal(file)
        assert [f for f in [str(file), *fragments] if f not in message] == []

    @pytest.mark.parametrize(
        "content",
        [
            '{"k": ["a\\ud800", "b"]}',
            '{"k": ["a\\uD83D\\\\uDE31", "b"]}',
            '{"k": ["\\udc00\\ud800", "b"]}',
            '{"k": ["\\\\\\udfff?", "b"]}',
            '{"\\ud800": ["a", "b"]}',
        ],
    )
    def test_half_a_surrogate_pair_in_json(self, tmp_path, content):
        message = refusal(write(tmp_path / "a.json", content))
        assert "surrogate" in message
        assert "a.json, line 1" in message or "a.json, group 'k'" in message

    @pytest.mark.parametrize(
        ("content", "fragments"),
        [
            ('{"id": 1, "texts": ["a", "b"]}\n{"id": 2', ["line 2, column", "not valid JSON"]),
            ('\n["a", "b"]', ["line 2", '"texts": [text, …]', '["a", "b"]']),
            ('{"texts": ["a", "b"]}', ["line 1", '"id"']),
            ('{"id": 1}', ["line 1", '"texts"']),
            ('{"id": 1, "texts": "ab"}', ["line 1", "list of strings"]),
            ('{"id": 1, "texts": ["a", 2]}', ["line 1", "strings", "2"]),
            ('{"id": 1, "texts": ["a", "b"], "negatives": "c"}', ["line 1", "negatives"]),
            ('{"id": 1, "texts": ["a", "b"], "negatives": [3]}', ["line 1", "negatives", "3"]),
            ('{"id": 1, "texts": ["a", ""]}', ["group '1'", "empty text", "Remove"]),
            ('{"id": 1, "texts": ["a", "b"], "negatives": [" "]}', ["group '1'", "empty text"]),
            ('{"id": 1, "texts": ["a", "\\udfff"]}', ["group '1'", "surrogate"]),
            ('{"id": "\\ud800", "texts": ["a", "b"]}', ["surrogate"]),
            ('{"id": %s, "texts": []}' % ("1" * 5000), ["line 1"]),
            ('{"id": 1, "texts": %s}' % ("[" * 3000 + "]" * 3000), ["line 1"]),
        ],
        ids=lambda value: value[:40] if isinstance(value, str) else "",
    )
    def test_json_lines(self, tmp_path, content, fragments):
        file = write(tmp_path / "a.jsonl", content)
        message = refusal(file)
        assert [f for f in [str(file), *fragments] if f not in message] == []

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
            ("a.csv", "a,b,yes\n", ["line 1", "'yes'", "0 or 1"]),
            ("a.tsv", "a\tb\t\n", ["line 1", "''", "0 or 1"]),
            ("a.tsv", "text1\ttext2\tlabel\na\tb\t1.0\n", ["line 2", "'1.0'", "0 or 1"]),
            ("a.tsv", "a\tb\t0\nc\td\t0\n", ["no positive pair", "among 2", "label column"]),
            ("a.tsv", "text1\ttext2\tlabel\n", ["no positive pair"]),
            ("a.tsv", "\n\n", ["no positive pair"]),
            ("a.tsv", "a\tb\t1\n\tb\t1\n", ["line 2", "empty text", "Remove"]),
            ("a.csv", "a,b,1\na, ,0\n", ["line 2", "empty text", "Remove"]),
            ("a.csv", 'a,b,1\nc,"d,1\n', ["line 2", "not valid CSV"]),
            ("a.csv", 'a,b,1\n"c"x,d,1\n', ["line 2", "not valid CSV"]),
            ("a.csv", "a," + "b" * 200_000 + ",1\n", ["line 1", "not valid CSV", "131072"]),
            ("a.xyz", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
            ("a.json.gz", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
            ("a", "a\tb\t1\n", ["unknown kind of file", ".parquet"]),
        ],
    )
    def test_pairs_and_endings(self, tmp_path, name, content, fragments):
        file = write(tmp_path / name, content)
        message = refusal(file)
        assert [f for f in [str(file), *fragments] if f not in message] == []

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
    def test_parquet(self, tmp_path, content, fragments):
        file = write(tmp_path / "a.parquet", content)
        message = refusal(file)
        assert [f for f in [str(file), *fragments] if f not in message] == []

    def test_parquet_strings_that_are_not_utf8(self, tmp_path):
        offsets, data = pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")
        broken = pa.StringArray.from_buffers(1, offsets, data)
        content = parquet(text1=broken, text2=["b"], label=[1])
        assert "utf-8" in refusal(write(tmp_path / "a.parquet", content)).lower()

    def test_a_group_is_named_once(self, tmp_path):
        file = write(tmp_path / "a.parquet", parquet(id=[1], texts=["ab"]))
        assert refusal(file).count("group '1'") == 1

    @pytest.mark.parametrize("suffix", [".json", ".jsonl", ".tsv", ".txt", ".csv", ".parquet"])
    def test_an_empty_file(self, tmp_path, suffix):
        empty = write(tmp_path / f"empty{suffix}", b"")
        message = refusal(write(tmp_path / "a.json", JSON), empty)
        assert str(empty) in message
        assert "empty" in message

    @pytest.mark.parametrize("name", ["none.json", "none*.tsv", "none/", "none/x.parquet"])
    @pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
    def test_a_missing_file(self, tmp_path, name, scheme):
        uri = f"{scheme}{tmp_path}/{name}"
        message = refusal(uri)
        assert uri in message
        assert "no such file" in message

    @pytest.mark.parametrize("files", [[], ["notes.md"]])
    def test_a_folder_without_data(self, tmp_path, files):
        folder = tmp_path / "folder"
        folder.mkdir()
        for name in files:
            write(folder / name, "x")
        message = refusal(folder)
        assert str(folder) in message
        assert ".jsonl" in message

    def test_an_unknown_scheme(self):
        assert "nonsense" in refusal("nonsense://bucket/a.json")

    def test_a_store_that_cannot_be_reached(self):
        class Unreachable(MemoryFileSystem):
            protocol = "unreachable"

            def info(self, path, **options):
                raise ConnectionError("connection refused")

            find = glob = ls = info

        fsspec.register_implementation("unreachable", Unreachable, clobber=True)
        message = refusal("unreachable://bucket/a.json")
        assert "unreachable://bucket/a.json" in message
        assert "connection refused" in message

    @given(
        st.sampled_from([".json", ".jsonl", ".tsv", ".txt", ".csv", ".parquet"]),
        st.binary() | st.text(alphabet='{}[]":,\\\n\t01ab label"', max_size=40).map(str.encode),
    )
    def test_any_bytes_give_groups_or_a_sentence(self, suffix, content):
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
