"""A folder has one owner, wherever it is and however that ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from siamese.errors import RunError, UserError
from siamese.storage import ownership
from siamese.storage.ownership import clear_folder, owning

OWN_AND_WAIT = """
import sys, time
from siamese.storage.ownership import owning
with owning(sys.argv[1]):
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["local", "memory"])
def location(request, tmp_path) -> str:
    return str(tmp_path / "deep" / "run") if request.param == "local" else f"memory://{uuid4().hex}"


def lease_of(uri: str) -> dict:
    filesystem, root = fsspec.core.url_to_fs(uri)
    return json.loads(filesystem.cat_file(f"{root}/.lease.json"))


def write_lease(uri: str, **changes: object) -> None:
    lease = {
        "pid": 7,
        "host": "far-away",
        "started": "1",
        "since": "2026-01-01 00:00:00+00:00",
        "command": "siamese train",
        "token": "other",
        "until": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(" ", "seconds"),
    }
    filesystem, root = fsspec.core.url_to_fs(uri)
    filesystem.makedirs(root, exist_ok=True)
    filesystem.pipe_file(f"{root}/.lease.json", json.dumps(lease | changes).encode())


def test_a_second_owner_is_refused_by_name_and_may_own_afterwards(location) -> None:
    with owning(location):
        who = rf"{location}: is in use by process {os.getpid()} on \S+ since 2\d\d\d-"
        with pytest.raises(UserError, match=who), owning(location):
            pass
    with owning(location):
        pass


def test_what_was_not_there_before_is_gone_if_nothing_came_into_it(tmp_path) -> None:
    with owning(tmp_path / "deep" / "run"):
        assert (tmp_path / "deep" / "run" / ".lock").is_file()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), owning(tmp_path / "deep" / "run"):
        (tmp_path / "deep" / "run" / "file").touch()
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "deep" / "run").iterdir()] == ["file"]


def test_a_kill_releases_the_lock_and_its_file_does_not_matter(tmp_path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", OWN_AND_WAIT, str(tmp_path / "run")], stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(UserError, match=f"process {other.pid} "), owning(tmp_path / "run"):
        pass
    other.send_signal(signal.SIGSTOP)  # alive all the same
    with pytest.raises(UserError, match=f"process {other.pid} "), owning(tmp_path / "run"):
        pass
    other.kill()
    other.wait()
    assert (tmp_path / "run" / ".lock").is_file()
    assert not ownership.is_used(tmp_path / "run")
    with owning(tmp_path / "run"):
        pass
    assert not (tmp_path / "run" / ".lock").exists()


def test_whoever_waits_gets_the_folder_when_it_is_free(location) -> None:
    inside = threading.Event()

    def hold() -> None:
        with owning(location):
            inside.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    with owning(location, wait=30):
        assert not thread.is_alive() or thread.join(5) is None
    thread.join()


def test_of_many_at_the_same_moment_one_at_a_time_is_inside(tmp_path) -> None:
    inside, most, refused = [], [], []

    def own(number: int) -> None:
        for _ in range(20):
            try:
                with owning(tmp_path / "run", wait=0.0):
                    inside.append(number)
                    most.append(len(inside))
                    inside.remove(number)
            except UserError:
                refused.append(number)

    threads = [threading.Thread(target=own, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) + len(refused) == 80


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path) -> None:
    (tmp_path / "run").write_text("mine")
    for place in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises(UserError, match="is a file"), owning(place):
            pass
    assert (tmp_path / "run").read_text() == "mine"


def test_a_file_system_without_locks_is_used_without(tmp_path, monkeypatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(ownership.fcntl, "flock", no_locks)
    with owning(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_clearing_a_folder_leaves_its_owner_and_what_links_point_to(tmp_path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with owning(tmp_path / "run"):
        (tmp_path / "run" / "deep").mkdir()
        (tmp_path / "run" / "deep" / "file").touch()
        (tmp_path / "run" / "link").symlink_to(tmp_path / "other")
        clear_folder(tmp_path / "run")
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    assert (tmp_path / "other" / "file").is_file()


class TestLease:
    @pytest.fixture
    def uri(self) -> str:
        return f"memory://{uuid4().hex}/run"

    def test_one_of_another_machine_is_respected_until_its_end(self, uri) -> None:
        until = (datetime.now(UTC) + timedelta(minutes=1)).isoformat(" ", "seconds")
        write_lease(uri, until=until)
        words = (
            rf"process 7 on far-away since .* \(siamese train\)\. Its lease ends at {until[:19]}"
        )
        with pytest.raises(UserError, match=words), owning(uri):
            pass
        write_lease(uri, until=(datetime.now(UTC) - timedelta(seconds=1)).isoformat(" "))
        with owning(uri):
            assert lease_of(uri)["pid"] == os.getpid()

    def test_whoever_resumes_waits_for_the_end_of_one_that_nobody_renews(self, uri, capsys) -> None:
        write_lease(uri, until=(datetime.now(UTC) + timedelta(seconds=1)).isoformat(" "))
        start = time.monotonic()
        with owning(uri, resumes=True):
            assert 0.5 < time.monotonic() - start < 10
        assert f"waiting: {uri}: is in use by process 7 on far-away" in capsys.readouterr().out

    def test_one_of_a_process_of_this_machine_that_is_gone_does_not_count(self, uri) -> None:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        started = ownership._start_of(process.pid)
        write_lease(uri, pid=process.pid, host=ownership._host(), started=started)
        with pytest.raises(UserError, match=f"process {process.pid} "), owning(uri):
            pass
        process.communicate(b"\n")
        with owning(uri):
            pass

    @pytest.mark.parametrize("damaged", ["", "[]", '{"token": 1}', '{"until": 3, "token": ""}'])
    def test_a_damaged_one_does_not_count(self, uri, damaged) -> None:
        filesystem, root = fsspec.core.url_to_fs(uri)
        filesystem.pipe_file(f"{root}/.lease.json", damaged.encode())
        with owning(uri):
            assert lease_of(uri)["pid"] == os.getpid()

    def test_it_is_renewed_and_gone_at_the_end(self, uri, monkeypatch) -> None:
        monkeypatch.setattr(ownership, "RENEW_EVERY", 0.05)
        with owning(uri):
            monkeypatch.setattr(ownership, "TERM", 3600.0)
            first = lease_of(uri)["until"]
            end = time.monotonic() + 10
            while lease_of(uri)["until"] == first and time.monotonic() < end:
                time.sleep(0.02)
            assert lease_of(uri)["until"] > first
        with pytest.raises(FileNotFoundError):
            lease_of(uri)

    def test_of_two_who_take_it_at_once_the_last_to_write_has_it(self, uri, monkeypatch) -> None:
        write = ownership._Lease._write

        def overtaken(lease: ownership._Lease) -> None:
            write(lease)
            write_lease(uri)

        monkeypatch.setattr(ownership._Lease, "_write", overtaken)
        with pytest.raises(UserError, match="process 7 on far-away"), owning(uri):
            pass
        assert lease_of(uri)["token"] == "other"

    def test_a_run_ends_when_another_has_taken_its_lease(self, uri, monkeypatch) -> None:
        monkeypatch.setattr(ownership, "RENEW_EVERY", 0.05)
        with pytest.raises(RunError, match="in use by process 7 on far-away"), owning(uri):
            write_lease(uri)
            time.sleep(10)
        assert lease_of(uri)["token"] == "other"

    def test_a_run_ends_when_its_lease_cannot_be_renewed(self, uri, monkeypatch) -> None:
        monkeypatch.setattr(ownership, "RENEW_EVERY", 0.05)
        monkeypatch.setattr(ownership, "TERM", 0.2)

        def unreachable(lease: ownership._Lease) -> None:
            raise OSError("no route to host")

        with pytest.raises(RunError, match=r"could not be renewed \(no route"), owning(uri):
            monkeypatch.setattr(ownership._Lease, "_write", unreachable)
            time.sleep(10)

    def test_it_is_not_part_of_what_is_at_the_uri(self, uri) -> None:
        from siamese.storage.mirror import Mirror

        with owning(uri):
            mirror = Mirror(Path("unused"), uri)
            assert not mirror.is_used(but=())
            mirror.remove()
            assert lease_of(uri)["pid"] == os.getpid()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_place_where_no_folder_can_be_made_is_told_at_once() -> None:
    with pytest.raises(UserError, match="/proc/x: no folder can be made"), owning("/proc/x"):
        pass
