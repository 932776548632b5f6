"""One file that a command writes: where it goes, what is refused before the work."""

import os
import threading
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of, local_path, path_of
from siamese.storage.output import check_output, saving


def save(location: str | Path, text: str) -> None:
    with saving(location) as beside:
        beside.write_text(text)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("a/b.txt", "a/b.txt"),
        ("/a/b:c.txt", "/a/b:c.txt"),
        ("c:/v.txt", "c:/v.txt"),
        ("file:///tmp/v.txt", "/tmp/v.txt"),
        ("file:/tmp/v.txt", "/tmp/v.txt"),
        ("file://localhost/tmp/v.txt", "/tmp/v.txt"),
        ("FILE:///tmp/a%20b%E6%80%8E.txt", "/tmp/a b怎.txt"),
        ("s3://bucket/v.txt", None),
        ("memory://v.txt", None),
    ],
)
def test_what_is_local_is_told_from_what_is_at_a_uri(location, path) -> None:
    assert path_of(location) == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("file:v.txt", "Write file:///"),
        ("s3:/bucket/v.txt", "A URI begins s3://"),
        ("abfs+x:/bucket/v.txt", "neither a path nor a URI"),
    ],
)
def test_a_uri_that_would_become_a_folder_of_its_name_is_refused(location, words) -> None:
    for function in (path_of, local_path, filesystem_of, check_output):
        with pytest.raises(UserError, match=words):
            function(location)


@pytest.mark.parametrize("location", ["file://v.txt", "file://host/v.txt"])
def test_a_file_of_another_machine_is_refused(location) -> None:
    for function in (path_of, local_path, check_output):
        with pytest.raises(UserError, match="Write file:///"):
            function(location)


@pytest.mark.parametrize("location", ["new/folder/v.txt", "v.txt", "file://{}/v.txt"])
def test_a_local_file_is_written_with_the_folders_that_it_needs(
    tmp_path, monkeypatch, location
) -> None:
    monkeypatch.chdir(tmp_path)
    location = location.format(tmp_path)
    check_output(location)
    assert list(tmp_path.iterdir()) == []
    save(location, "怎")
    assert [p.read_text() for p in tmp_path.rglob("*.txt")] == ["怎"]
    assert not list(tmp_path.rglob(".*"))


def test_a_file_at_a_uri_is_written_whole_or_not_at_all() -> None:
    memory = fsspec.filesystem("memory")
    root = f"/{uuid4().hex}"
    memory.mkdir(root)
    location = f"memory:/{root}/new/v.txt"
    check_output(location)
    assert memory.find(root) == []
    save(location, "old")
    with pytest.raises(ZeroDivisionError), saving(location) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert memory.cat(f"{root}/new/v.txt") == b"old"
    save(location, "new")
    assert memory.find(root) == [f"{root}/new/v.txt"]
    assert memory.cat(f"{root}/new/v.txt") == b"new"


def test_what_cannot_be_written_is_refused(tmp_path) -> None:
    (tmp_path / "file").touch()
    refused = {
        tmp_path: "is a folder",
        f"{tmp_path}/new/": "is a folder",
        tmp_path / "file" / "below" / "v.txt": "is a file, not a folder",
        "nosuch://bucket/v.txt": "nosuch",
        "https://localhost:1/v.txt": "cannot be written|no such bucket",
        "s3://": "s3://",
    }
    for location, words in refused.items():
        with pytest.raises(UserError, match=words):
            check_output(location)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match="may not be written"):
        check_output(tmp_path / "new" / "v.txt")


def test_of_a_link_the_file_that_it_points_to_is_replaced(tmp_path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    save(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_into_a_pipe_it_is_written(tmp_path) -> None:
    """Replaced, as a file is, `/dev/stdout` or `/dev/null` would be gone from the machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    check_output(pipe)
    save(pipe, "怎")
    reader.join(10)
    assert read == ["怎"] and pipe.is_fifo()


def test_a_device_stays_a_device() -> None:
    check_output("/dev/null")
    save("/dev/null", "all of it")
    assert Path("/dev/null").is_char_device()
