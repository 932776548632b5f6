"""Bad input on the command line: exit code 2, a sentence, and nothing half-written.

That of `siamese shard`, `vectors` and `train` has files of its own; damaged model folders are in
`tests/siamese/encoder/test_model_folder.py`.
"""

import subprocess
import sys
from pathlib import Path

import pytest


class TestEvaluate:
    @pytest.mark.parametrize("threshold", ["high", "", "0,5", "nan", "inf", "-inf", "None"])
    def test_bad_threshold(self, refused, tmp_path, dev, threshold):
        command = ("evaluate", tmp_path / "model", dev, "--json", tmp_path / "metrics.json")
        fragments = [f"--threshold {threshold}", "`stored`", "`fit`", "number"]
        refused(*command, f"--threshold={threshold}", fragments=fragments)

    def test_no_model(self, refused, tmp_path, dev):
        model = tmp_path / "model"
        command = ("evaluate", model, dev, "--json", tmp_path / "metrics.json")
        refused(*command, fragments=[str(model), "folder"])


class TestUsage:
    """What typer refuses: its own words, the same exit code."""

    @pytest.mark.parametrize(
        ("arguments", "culprit"),
        [
            (["trian"], "trian"),
            (["--nonsense"], "--nonsense"),
            (["shard", "a.json", "--output", "data", "--nonsense"], "--nonsense"),
            (["shard", "a.json"], "--output"),
            (["shard", "--output", "data"], "inputs"),
            (["shard", "a.json", "--output", "data", "--rows-per-shard", "0"], "--rows-per-shard"),
            (["shard", "a.json", "--output", "data", "--seed", "-1"], "--seed"),
            (["shard", "a.json", "--output", "data", "--seed", "one"], "--seed"),
            (["vectors", "a.json", "--output", "v.txt", "--dim", "0"], "--dim"),
            (["train", "--data", "d", "--dev", "d", "--run", "r", "--workers", "-1"], "--workers"),
            (["evaluate", "model"], "pairs"),
            (["similarity", "model", "a"], "text2"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_is_told_by_name(self, call, tmp_path, monkeypatch, arguments, culprit):
        monkeypatch.chdir(tmp_path)
        assert culprit in call(*arguments)

    @pytest.mark.parametrize("command", ["shard", "vectors"])
    def test_a_seed_too_large(self, call, tmp_path, groups, command):
        assert "seed" in call(command, groups, "--output", tmp_path / "out", "--seed", 10**30)


class TestProcess:
    def spawn(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "distributed", *arguments]
        return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder)

    def test_help_names_the_commands(self, tmp_path):
        done = self.spawn("--help", folder=tmp_path)
        assert done.returncode == 0
        for command in ("shard", "vectors", "train", "evaluate", "similarity", "encode", "report"):
            assert command in done.stdout

    def test_a_mistake_is_one_sentence(self, tmp_path):
        done = self.spawn("shard", "没有.json", "--output", "data", folder=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == "error: 没有.json: no such file. Check the path or the pattern.\n"
        assert list(tmp_path.iterdir()) == []
