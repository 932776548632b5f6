"""What `siamese audit` refuses before any work, in this process."""

import sys
from unittest.mock import patch

import pytest

from distributed.cli.main import main

GROUPS = '{"id": "a", "texts": ["怎么办卡", "如何办卡"]}\n'
FEW = "怎么办卡\t如何办卡\t1\n怎么办卡\t多少钱\t0\n"


def run(*arguments: object) -> int:
    """Run a command line in this process, and return its exit code."""
    with patch.object(sys, "argv", ["siamese", "audit", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("a.jsonl", GROUPS, [], "holds no labelled pairs, so there is nothing to audit"),
        ("a.tsv", FEW, [], "1 positive and 1 other labelled pairs are too few for 5 folds"),
        ("a.tsv", FEW, ["--share", "0.1"], "--share has no effect without --output"),
        ("a.tsv", FEW, ["--gpus-per-worker", "1"], "needs --workers 1 or more"),
        ("a.tsv", FEW, ["--recipe", "audot"], "audot"),
        ("a.tsv", FEW, ["--dev", "none.tsv"], "none.tsv"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_nothing(
    tmp_path, capsys, name, content, options, words
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert run(tmp_path / name, "--report", tmp_path / "audit", *options) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == [name]
