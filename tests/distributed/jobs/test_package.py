"""What is uploaded with a job. No cluster is asked."""

import os
import socket
from pathlib import Path
from zipfile import ZipFile

import pytest
from ray._private.runtime_env.packaging import create_package, get_uri_for_directory

from distributed.jobs import package
from distributed.jobs.package import check_package
from siamese.errors import UserError


def test_a_working_directory_over_the_limit_is_told_before_it_is_packed(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(package, "package_limit", lambda: 3 * 2**20)
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "big.json").write_bytes(bytes(2 * 2**20))
    (tmp_path / "small.json").write_bytes(bytes(2**20))
    with pytest.raises(UserError, match=r"3 MiB .*corpora/big.json with 2 MiB.*\.gitignore"):
        check_package(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "pack").write_bytes(bytes(9 * 2**20))
    (tmp_path / ".gitignore").write_text("corpora/\n")
    check_package(tmp_path)  # neither counts: neither is uploaded


def test_only_plain_files_are_packed(tmp_path) -> None:
    """Ray itself would wait for ever to read a pipe, and walk in circles after a link."""
    root = tmp_path / "project"
    (root / "a").mkdir(parents=True)
    for name in ("a/plain.txt", "pipe", "a/[x] #1!.txt"):
        (root / name).touch()
    os.mkfifo(root / "a" / "pipe")
    os.mkfifo(root / "a" / "*")  # as a pattern, all that is there
    (root / "a" / "up").symlink_to("..")
    (root / "a" / "dangling").symlink_to("nowhere")
    (root / "a" / "link.txt").symlink_to("plain.txt")
    (root / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(root)
        try:
            server.bind("sock")
        finally:
            os.chdir(tmp_path)
    excludes = check_package(root)
    get_uri_for_directory(str(root), include_gitignore=True, excludes=excludes)
    packed = tmp_path / "packed.zip"
    create_package(str(root), packed, include_gitignore=True, excludes=excludes)
    with ZipFile(packed) as content:
        names = {Path(name).as_posix() for name in content.namelist()}
    assert names == {"a/plain.txt", "a/[x] #1!.txt", "a/link.txt", "pipe"}


def test_a_name_that_is_not_utf8_is_a_mistake_in_a_sentence(tmp_path) -> None:
    name = os.fsdecode(b"\xd6\xd0.txt")
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"the name .*\.txt. is not UTF-8.*Rename"):
        check_package(tmp_path)
    (tmp_path / ".gitignore").write_text("*.txt\n")
    assert check_package(tmp_path) == []
    (tmp_path / os.fsdecode(b"\xd6")).mkdir()
    with pytest.raises(UserError, match=r"is not UTF-8.*Rename"):
        check_package(tmp_path)
    (tmp_path / ".gitignore").write_bytes(b"\xd6\xd0.txt\n")
    with pytest.raises(UserError, match=r"\.gitignore.* is not UTF-8"):
        check_package(tmp_path)
