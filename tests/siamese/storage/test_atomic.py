"""Files and folders are there as a whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from siamese.storage import atomic
from siamese.storage.atomic import flush, replacing, replacing_folder


def test_a_reader_finds_the_old_folder_or_the_new_one_at_any_moment(tmp_path, monkeypatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "name").write_text("old")
    seen = []
    for name in ("rename", "replace"):  # whatever moves anything, looks before and after
        move = getattr(Path, name)

        def watched(self, target, move=move):
            seen.append((tmp_path / "model" / "name").read_text())
            moved = move(self, target)
            seen.append((tmp_path / "model" / "name").read_text())
            return moved

        monkeypatch.setattr(Path, name, watched)
    with replacing_folder(tmp_path / "model") as beside:
        (beside / "name").write_text("new")
    assert set(seen) <= {"old", "new"}
    assert (tmp_path / "model" / "name").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_replaced_where_names_cannot_be_exchanged(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    for text in ("old", "new"):
        with replacing_folder(tmp_path / "model") as beside:
            (beside / "name").write_text(text)
    assert (tmp_path / "model" / "name").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("replace", [replacing, replacing_folder])
def test_all_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch, replace) -> None:
    target = tmp_path / "target"
    flushed = []
    monkeypatch.setattr(
        atomic.os,
        "fsync",
        lambda file: flushed.append(
            (str(Path(f"/proc/self/fd/{file}").readlink()), target.exists())
        ),
    )
    with replace(target) as beside:
        file = beside / "file" if beside.is_dir() else beside
        file.write_text("text")
    written = str(file)
    assert (written, False) in flushed
    assert flushed[-1] == (str(tmp_path), True)  # the new name, last


@pytest.mark.parametrize("replace", [replacing, replacing_folder])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_of_writing_names_what_was_to_be_written_and_leaves_the_old(
    tmp_path, replace, number
) -> None:
    with replace(tmp_path / "target") as beside:
        (beside / "file" if beside.is_dir() else beside).write_text("old")
    with pytest.raises(OSError, match="target") as error, replace(tmp_path / "target"):
        raise OSError(number, os.strerror(number))
    assert (error.value.errno, error.value.filename) == (number, str(tmp_path / "target"))
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
    files = [path for path in (tmp_path / "target", tmp_path / "target" / "file") if path.is_file()]
    assert [path.read_text() for path in files] == ["old"]


def test_a_file_system_that_cannot_flush_does_what_it_can(tmp_path, monkeypatch) -> None:
    def cannot(_: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(atomic.os, "fsync", cannot)
    flush(tmp_path)
