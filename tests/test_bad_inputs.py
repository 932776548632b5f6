"""A table of bad inputs: the exit code, the sentence, and nothing written or touched.

The rows are in `tests/helpers/bad_inputs.py` and `bad_settings.py`. Neither Ray nor a run is
started.
"""

import gc
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import bad_inputs
import bad_settings
import pytest
from bad_place import make_place, snapshot
from bad_row import Row

from distributed.cli.main import main

ROWS = [*bad_inputs.ROWS, *bad_settings.ROWS]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of everything, as it should be."""
    place = tmp_path_factory.mktemp("whole") / "place"
    make_place(place)
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage, which is the working folder; temporary files go beside it."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_JOB_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ray.init", _refuse_to_start)
    place = tmp_path / "place"
    shutil.copytree(whole, place, symlinks=True)
    monkeypatch.chdir(place)
    return place


def _refuse_to_start(*_: object, **__: object) -> NoReturn:
    raise AssertionError("Ray was to be started")


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 120


def exit_code() -> object:
    """Run the command."""
    try:
        main()
    except SystemExit as exit:
        return exit.code
    return None


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.name) for row in ROWS],
)
def test_is_refused_in_a_sentence(
    row: Row, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row.damage(place)
    for name, value in row.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["siamese", *row.arguments])
    before = snapshot(place.parent)
    code = exit_code()
    output, errors = capsys.readouterr()
    assert code == row.exit, output + errors
    assert [part for part in row.message if part not in " ".join(errors.split())] == [], errors
    assert "Traceback" not in output + errors
    if snapshot(place.parent) != before:
        gc.collect()  # temporary folders go with the objects that they belong to
    assert snapshot(place.parent) == before
