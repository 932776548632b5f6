"""One process at a time may write a folder: a lock, or at a URI a lease."""

import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from siamese.errors import RunError, UserError
from siamese.storage.filesystem import local_path
from siamese.storage.folder import Folder

# The file that a local folder is locked by, and the one that holds a lease. Both are of no
# consequence when nobody holds them.
LOCK = ".lock"
LEASE = ".lease.json"
MARKS = (LOCK, LEASE)
# Seconds that a lease is good for, between two renewals, and that two who take one at the same time
# wait to see who was last.
TERM, RENEW_EVERY, SETTLE = 60.0, 15.0, 1.0
# Seconds between two looks of a process that waits.
LOOK_EVERY = 0.2
# Times in a row that a folder may be gone when it is to be locked.
GONE_AT_MOST = 1000


@contextmanager
def owning(
    location: str | Path, wait: float = 0.0, resumes: bool = False, name: str | None = None
) -> Iterator[None]:
    """Own a folder while the block runs: another process that asks for it is refused.

    A local folder is made if it is not there, and removed if nothing came into it. Its lock ends
    with this process, however that ends. At a URI a lease is renewed all the while; a process that
    is killed leaves one that ends by itself. Within a process, too, a folder is owned only once.

    Args:
        location: a path or URI.
        wait: seconds to wait for another process that is about to end.
        resumes: whether what a killed process left is gone on with; then the end of a lease that it
            may have left on another machine is waited for.
        name: what the user knows the folder by; None: `location`.

    Raises:
        UserError: another process owns it, or it is a file; names the process.
        RunError: the lease was lost: it could not be renewed in time, or another took it.
    """
    path = local_path(location)
    name = name or str(location)
    lease_wait = max(wait, TERM + RENEW_EVERY if resumes else 0.0)
    with _locking(path, wait, name) if path else _leasing(name, lease_wait):
        yield


def is_used(folder: Path, but: tuple[str, ...] = ()) -> bool:
    """Say whether there is anything at a path.

    Args:
        folder: marks of ownership in it do not count.
        but: neither do files of these names, whole or half-written.
    """
    if not folder.is_dir():
        return folder.is_file()
    half_written = tuple(f".{name}." for name in but)
    names = [path.name for path in folder.iterdir()]
    return any(n not in (*MARKS, *but) and not n.startswith(half_written) for n in names)


def clear_folder(folder: Path) -> None:
    """Remove all that is in a folder but the marks of ownership; of a link, what it points to."""
    for path in folder.iterdir():
        if path.name in MARKS:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def _locking(path: Path, wait: float, name: str) -> Iterator[None]:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    lock = _lock(path, wait, name)
    try:
        yield
    finally:
        (path / LOCK).unlink(missing_ok=True)  # while it is ours
        lock.close()
        for folder in missing:
            with suppress(OSError):  # something came into it
                folder.rmdir()


def _lock(path: Path, wait: float, name: str) -> BinaryIO:
    """Lock a folder; the lock is held until the returned file is closed."""
    end = time.monotonic() + wait
    gone = 0
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / LOCK).open("a+b", buffering=0)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{name}: is a file, not a folder. Choose another one.") from None
        except FileNotFoundError:
            gone += 1
            if gone < GONE_AT_MOST:
                continue  # its owner has just removed it
            raise UserError(f"{name}: no folder can be made there. Choose another one.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(lock)
            lock.close()
            if time.monotonic() > end:
                raise UserError(_in_use(name, holder)) from None
            time.sleep(LOOK_EVERY)
            continue
        except OSError:
            return lock  # a file system without locks
        if _is_at(lock, path / LOCK):  # and not one that its owner has just removed
            with suppress(OSError):  # a full disk: then nobody can read who holds it
                lock.truncate(0)
                lock.write(json.dumps(_this_process()).encode())
            return lock
        lock.close()


def _is_at(stream: BinaryIO, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    return False


def _read(lock: BinaryIO) -> dict[str, Any]:
    """Read who holds a lock; nothing if that process has not written it yet."""
    lock.seek(0)
    with suppress(ValueError):
        holder = json.load(lock)
        return holder if isinstance(holder, dict) else {}
    return {}


@contextmanager
def _leasing(uri: str, wait: float) -> Iterator[None]:
    lease = _Lease(uri)
    lease.take(wait)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if lease.problem:
            raise RunError(lease.problem) from None
        raise
    finally:
        lease.give_back()


class _Lease:
    """A lease of a folder at a URI: a file that names its owner and its end.

    File systems at URIs have no locks. Of two processes that write the file at the same time, the
    one that is still in it a moment later has the lease.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._folder = Folder(uri)
        self._token = uuid.uuid4().hex
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self.problem = ""

    def take(self, wait: float) -> None:
        """Take the lease, and keep it until `give_back`."""
        end = time.monotonic() + wait
        if wait and (holder := self._holder()):
            print(f"waiting: {_in_use(self._uri, holder)}", flush=True)
        while (holder := self._holder()) and time.monotonic() < end:
            time.sleep(LOOK_EVERY)
        if not holder:
            self._write()
            time.sleep(SETTLE)
            holder = self._holder()
        if holder:
            raise UserError(_in_use(self._uri, holder))
        self._thread.start()

    def give_back(self) -> None:
        """End the lease, unless another process has taken it."""
        self._done.set()
        self._thread.join()
        with suppress(OSError):
            if not self._holder():
                self._folder.remove(LEASE)

    def _write(self) -> None:
        until = datetime.fromtimestamp(time.time() + TERM, UTC).isoformat(" ", "seconds")
        lease = {**_this_process(), "token": self._token, "until": until}
        self._folder.write_bytes(LEASE, json.dumps(lease).encode())

    def _holder(self) -> dict[str, Any] | None:
        """Find the process that holds the lease, if it is another one and the lease is good."""
        try:
            lease = self._folder.read_json(LEASE)
            until = datetime.fromisoformat(lease["until"]).timestamp()
            is_own = lease["token"] == self._token
        except (FileNotFoundError, UserError, KeyError, TypeError, ValueError):
            return None  # there is none, or none that means anything
        return None if is_own or until < time.time() or _has_ended(lease) else lease

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._done.wait(RENEW_EVERY) and not self.problem:
            try:
                if holder := self._holder():
                    self.problem = _in_use(self._uri, holder)
                else:
                    self._write()
                    renewed = time.monotonic()
            except Exception as error:
                if time.monotonic() - renewed > TERM:
                    self.problem = (
                        f"{self._uri}: the lease of this folder could not be renewed ({error}), so "
                        "that another process may take it. Continue with --resume."
                    )
        if self.problem:
            os.kill(os.getpid(), signal.SIGINT)  # ends what the main thread waits for


def _this_process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": _host(),
        "started": _start_of(os.getpid()),
        "since": datetime.now(UTC).isoformat(" ", "seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]]),
    }


def _host() -> str:
    """Name the machine, and of it the container, in which process numbers mean something."""
    with suppress(OSError):
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _start_of(pid: int) -> str:
    """Read when a process of this machine started, in the kernel's words; "" if it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]  # the name before it may hold anything


def _has_ended(holder: dict[str, Any]) -> bool:
    """Say whether a process is one of this machine, and gone."""
    started = holder.get("started")
    return (
        bool(started)
        and holder.get("host") == _host()
        and _start_of(holder.get("pid", 0)) != started
    )


def _in_use(location: str, holder: dict[str, Any]) -> str:
    """Write who owns a folder, and what to do."""
    who = "another process"
    if "pid" in holder:
        host, since, command = (str(holder.get(key)) for key in ("host", "since", "command"))
        who = f"process {holder['pid']} on {host.split()[0]} since {since} ({command})"
    until = f" Its lease ends at {holder['until']} unless renewed." if "until" in holder else ""
    return (
        f"{location}: is in use by {who}.{until} Wait until that has ended, end it, or choose "
        "another folder."
    )
