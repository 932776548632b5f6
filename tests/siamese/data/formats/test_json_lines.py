"""JSON Lines: a sentence for every malformed line."""

import pytest
from input_files import (
    AS_GROUPS,
    JSON_LINES,
    read,
    refusal,
    write,
)

from siamese.data.reading import read_texts
from siamese.errors import UserError


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
        ('{"id": null, "texts": ["a", "b"]}', ["line 1", "string or a number", "null"]),
        ('\n{"id": [1], "texts": ["a", "b"]}', ["line 2", "string or a number", "[1]"]),
        ('{"id": 1e999, "texts": ["a", "b"]}', ["line 1", "string or a number"]),
        ('{"id": 1, "texts": ["a", "b"], "texts": ["c"]}', ["line 1", "'texts'", "more than once"]),
        (
            '{"id": 1, "texts": ["a", "b"]}\n{"text1": "a", "text2": "b", "label": 1}',
            ["line 2", '"texts"', "labelled pairs"],
        ),
        (
            '{"text1": "a", "text2": "b", "label": 1}\n{"id": 1, "texts": ["a", "b"]}',
            ["line 2", "two texts and 'label'", "first line"],
        ),
        (
            '{"text1": "a", "text2": "b", "label": 1}\n{"text1": "a", "text2": "b"}',
            ["line 2", "two texts and 'label'"],
        ),
        (
            '{"text1": "a", "text2": "b", "label": 1}\n{"text1": "a", "text2": "b", "score": 1}',
            ["line 2", "two texts and 'label'"],
        ),
        (
            '{"anchor": "a", "positive": "b"}\n\n{"text1": "a", "text2": "b", "label": 1}',
            ["line 3", "an anchor, positives and negatives"],
        ),
        ('{"query": "a", "pos": ["b"], "neg": []}\n[1]', ["line 2", "an anchor", "[1]"]),
        ('{"query": "a", "pos": ["b", 3]}', ["line 1", "must be strings", "3"]),
        ('{"query": null, "pos": ["b"]}', ["line 1", "must be strings", "null"]),
        ('{"query": "a", "pos": [" "]}', ["line 1", "empty text"]),
        ('{"query": "a", "pos": ["\\ud800"]}', ["line 1", "surrogate"]),
        ('{"query": "a", "pos": [], "neg": ["b"]}', ["no positive pair"]),
        ('{"text1": "a", "text2": "b", "label": "neutral"}', ["line 1", "'neutral'", "0 or 1"]),
        ('{"text1": "a", "text2": "b", "score": 7}', ["line 1", "'7'", "score_0_to_7"]),
        ('{\n "id": 1,\n "texts": ["a", "b"]\n}', ["line 1", "one whole object"]),
        ("[" * 100_000, ["line 1", "not usable JSON"]),
        ("\0" * 100, ["line 1", "not valid JSON"]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_json_lines(tmp_path, content, fragments):
    file = write(tmp_path / "a.jsonl", content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []


def test_half_a_surrogate_pair_is_refused_by_whoever_reads_texts(tmp_path):
    file = write(tmp_path / "a.jsonl", '{"id": 1, "texts": ["a"]}\n{"id": 2, "texts": ["\\ud83d"]}')
    with pytest.raises(UserError, match=r"a\.jsonl, line 2, group '2': holds half of a surrogate"):
        list(read_texts([str(file)]))


def test_the_id_may_be_called_as_in_a_data_set(tmp_path):
    file = write(tmp_path / "a.jsonl", JSON_LINES.replace('"id"', '"group_id"'))
    assert read(file)[0] == AS_GROUPS
