"""Commands that must be refused and change no file, and what is good to give them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_files import write

from distributed.cli.main import main
from distributed.sharding.shard import shard
from siamese.config.recipe import Recipe
from siamese.training.run_folder import RunFolder

GROUPS = {str(i): [f"第{i}个问题", f"问题{i}"] for i in range(8)}
DEV = "怎么办卡\t如何办卡\t1\n怎么办卡\t怎么销卡\t0\n"


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def call(tmp_path, monkeypatch, capsys) -> Callable[..., str]:
    """Run a command that must fail with exit code 2 and change no file; returns its stderr."""

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["siamese", *map(str, arguments)])
        before = snapshot(tmp_path)
        with pytest.raises(SystemExit) as exit:
            main()
        stderr = capsys.readouterr().err
        assert exit.value.code == 2, stderr
        assert "Traceback" not in stderr
        assert snapshot(tmp_path) == before
        return stderr

    return call


@pytest.fixture
def refused(call) -> Callable[..., None]:
    """Run a command that must be refused with `error:` and a sentence that holds `fragments`."""

    def refused(*arguments: object, fragments: list[str]) -> None:
        stderr = call(*arguments)
        assert stderr.startswith("error: ")
        assert [fragment for fragment in fragments if fragment not in stderr] == []

    return refused


@pytest.fixture
def groups(tmp_path) -> Path:
    return write(tmp_path / "groups.json", json.dumps(GROUPS).encode())


@pytest.fixture
def data(tmp_path, groups) -> Path:
    shard([str(groups)], tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def dev(tmp_path) -> Path:
    return write(tmp_path / "dev.tsv", DEV.encode())


@pytest.fixture
def run(tmp_path) -> Path:
    """The folder of a run that was begun."""
    folder = RunFolder(tmp_path / "run")
    folder.start(Recipe(), {"hash": "of some data"}, fresh=False)
    folder.log({"event": "train", "step": 1, "loss": 0.5})
    return folder.path
