"""`siamese serve` in a process of its own, with clients that ask it all the time."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any, TextIO
from urllib.parse import urlsplit

from siamese.storage.atomic import replacing_folder

STARTS = 90.0  # seconds at most


class Service:
    """`siamese serve`, ready; a context manager.

    Attributes:
        url: where it listens.
        output: the lines that it wrote so far.

    Args:
        options: of the command, the model first.
    """

    def __init__(self, *options: str, address: str | None = None) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop("RAY_ADDRESS", None)
        environment["RAY_ADDRESS"] = address or "local"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "distributed", "serve", *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []
        self._lines: Queue[str] = Queue()
        assert self.process.stdout
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        self.url = self.wait_for(r"ready at (http://\S+)")[1]

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal if it still runs, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def wait_for(self, pattern: str, seconds: float = STARTS) -> re.Match[str]:
        """Wait until it writes a line with a pattern."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0.01))
            except Empty:
                raise AssertionError(f"no {pattern!r} in {self.output}") from None
            if found := re.search(pattern, line):
                return found

    def replicas(self) -> list[int]:
        """Return the process ids of its replicas, if it has started Ray itself."""
        return [pid for pid, title in self.started().items() if "ServeReplica" in title]

    def started(self) -> dict[int, str]:
        """Return the processes that it has started, and those have, and their titles."""
        parents, titles = {}, {}
        for line in subprocess.check_output(
            ["ps", "-eo", "pid=,ppid=,args="], text=True
        ).splitlines():
            pid, parent, title = line.split(maxsplit=2)
            parents[int(pid)], titles[int(pid)] = int(parent), title
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return {pid: titles[pid] for pid in found - {self.process.pid}}

    def ask(self, path: str, content: Any = None) -> tuple[int, Any]:
        """Send one request; the status and the JSON."""
        with connection(self.url) as link:
            return ask(link, path, content)

    def _read(self, stream: TextIO) -> None:
        for line in stream:
            self.output.append(line.rstrip())
            self._lines.put(line)
        self._lines.put("(ended)")


@contextmanager
def connection(url: str) -> Iterator[http.client.HTTPConnection]:
    """Connect to a server."""
    link = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        yield link
    finally:
        link.close()


def ask(link: http.client.HTTPConnection, path: str, content: Any = None) -> tuple[int, Any]:
    """Send a request; the status and the JSON."""
    if content is None:
        link.request("GET", path)
    else:
        link.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
    answer = link.getresponse()
    body = answer.read()
    is_json = answer.headers.get_content_type() == "application/json"
    return answer.status, json.loads(body) if is_json else body.decode()


@dataclass
class Load:
    """What some clients saw, who ask without a pause while the block of `asking` runs.

    Attributes:
        seconds: that each answer took.
        failures: what was no answer with status 200.
        answers: the different answers.
    """

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answers: set[str] = field(default_factory=set)


@contextmanager
def asking(url: str, path: str, content: Any, clients: int) -> Iterator[Load]:
    """Have clients ask the same all the time."""
    load, ended = Load(), threading.Event()

    def client() -> None:
        with connection(url) as link:
            while not ended.is_set():
                start = time.perf_counter()
                try:
                    status, answer = ask(link, path, content)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    load.failures.append(repr(error))
                    link.close()  # it connects again
                    continue
                load.seconds.append(time.perf_counter() - start)
                if status != 200:
                    load.failures.append(f"{status} {answer}")
                else:
                    load.answers.add(json.dumps(answer))

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)


def put(source: Path, target: Path) -> None:
    """Put a folder in the place of another, as all of ours are written."""
    with replacing_folder(target) as beside:
        shutil.copytree(source, beside, dirs_exist_ok=True)
