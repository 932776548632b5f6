"""JSON Lines: a sentence for every malformed line."""

import pytest
from input_files import (
    refusal,
    write,
)


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
def test_json_lines(tmp_path, content, fragments):
    file = write(tmp_path / "a.jsonl", content)
    message = refusal(file)
    assert [f for f in [str(file), *fragments] if f not in message] == []
