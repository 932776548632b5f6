"""The commands that prepare data, on files in other encodings and of other kinds."""

import sys
from unittest.mock import patch

import pytest

from distributed.cli.main import main
from siamese.data.shards import read_shards

PAIRS = "怎麼改密碼\t如何修改密碼\t1\n怎麼改密碼\t幾點開門\t0\n"


def run(*arguments: object) -> int:
    """Run a command line in this process, and return its exit code."""
    with patch.object(sys, "argv", ["siamese", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture
def big5(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(PAIRS.encode("big5"))
    return path


def test_shard_reads_the_encoding_that_is_given(tmp_path, big5) -> None:
    output = tmp_path / "data"
    assert run("shard", big5, "--output", output, "--encoding", "big5") == 0
    groups = list(read_shards(output)[0].groups)
    assert [(group.texts, group.negatives) for group in groups] == [
        (("怎麼改密碼", "如何修改密碼"), ("幾點開門",))
    ]


def test_vectors_reads_the_encoding_that_is_given(tmp_path, big5) -> None:
    output = tmp_path / "v.txt"
    arguments = ["vectors", big5, "--output", output, "--dim", "2"]
    assert run(*arguments, "--encoding", "big5") == 0
    lines = output.read_text(encoding="utf-8").splitlines()[1:]
    assert {line[0] for line in lines} == set(PAIRS) - set("\t\n01")


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ([], "line 1: not valid UTF-8"),
        (["--encoding", "x"], "--encoding x: no encoding of this name"),
    ],
)
@pytest.mark.parametrize("command", ["shard", "vectors"])
def test_another_encoding_is_refused(tmp_path, big5, capsys, command, encoding, message) -> None:
    output = tmp_path / "out"
    assert run(command, big5, "--output", output, *encoding) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_one_note_says_what_was_recognised(tmp_path, capsys) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("怎么改密码\t如何修改密码\t1\n".encode("gb18030"))
    assert run("vectors", path, "--output", tmp_path / "v", "--dim", "2") == 0
    assert capsys.readouterr().err.count("read as GB18030") == 1
