"""One JSON object of groups: escapes, and a sentence for every malformed one."""

import json

import pytest
from input_files import (
    AS_GROUPS,
    GBK,
    GROUPS,
    JSON_LINES,
    read,
    refusal,
    write,
)

import siamese.data.formats.json_object
from siamese.data.group import Group


@pytest.mark.parametrize("shift", range(13))
def test_an_escaped_character_across_two_reads(tmp_path, shift):
    start = '{"k": ["'
    for size in (1 << 16, 1 << 20):  # as much as is read at once
        filling = "a" * (size - shift - len(start))
        file = write(tmp_path / "a.json", f'{start}{filling}\\ud83d\\ude31", "\\\\ud83d"]}}')
        assert read(file)[0] == [Group("k", (f"{filling}😱", "\\ud83d"))]


def test_invalid_utf8_far_down_a_large_json_is_reported_with_its_line(tmp_path):
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
        ("[" * 100_000, ["not usable JSON"]),
        ('{"k": %s' % ("[" * 100_000), ["group 'k'", "must be strings", "[["]),
        ('{"k": ' * 100_000, ["group 'k'", "list of strings"]),
        ('{"k": ["a", 1e999]}', ["not a usable object"]),
        ('{"text1": "a", "text2": "b", "label": 7}\n' * 2, ["line 1", "'7'", "0 or 1"]),
        ('{"k": %s}' % ("[" * 3000 + "]" * 3000), []),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_json(tmp_path, content, fragments):
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
def test_half_a_surrogate_pair_in_json(tmp_path, content):
    message = refusal(write(tmp_path / "a.json", content))
    assert "surrogate" in message
    assert "a.json, line 1" in message or "a.json, group 'k'" in message


@pytest.mark.parametrize(
    "content",
    [
        JSON_LINES,
        JSON_LINES.replace('"7"', "7"),
        "\n\ufeff" + JSON_LINES,
        "".join(json.dumps({"texts": v, "lang": "zh", "id": k}) + "\n" for k, v in GROUPS.items()),
    ],
    ids=["plain", "number", "BOM", "texts first"],
)
def test_json_lines_of_this_name_are_read(tmp_path, content):
    assert read(write(tmp_path / "a.json", content))[0] == AS_GROUPS


def test_groups_called_id_and_texts_are_groups(tmp_path):
    file = write(tmp_path / "a.json", '{"id": ["a", "b"], "texts": ["c", "d"]}')
    assert read(file)[0] == [Group("id", ("a", "b")), Group("texts", ("c", "d"))]


def test_a_text_that_does_not_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(siamese.data.formats.json_object, "_LONGEST_TEXT", 1 << 17)
    message = refusal(write(tmp_path / "a.json", '{"k": ["' + "a" * (1 << 19)))
    assert "near line 1: a text is longer than" in message
