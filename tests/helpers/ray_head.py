"""Ray heads for tests alone, and the commands that submit jobs to them."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
TOKEN = "0123456789abcdef" * 4


def free_ports(count: int) -> list[int]:
    """Ports that are free now: all are held until the last one is known."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)


class Head:
    """A Ray head of this test alone, in a process group of its own."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        # Nothing of the caller's: no RAY_ADDRESS, and no token in the caller's home.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self.env = kept | {
            "PATH": f"{BIN}:{kept['PATH']}",
            "HOME": str(folder),
            # pytest's folders are too long for the sockets in it.
            "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray", dir="/tmp"),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        port, dashboard, client, agent = free_ports(4)
        self.port = port
        self.url = f"http://127.0.0.1:{dashboard}"
        self.log = folder / "head.log"
        self.folder = folder
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *("ray", "start", "--head", "--block", "--num-cpus=2", f"--port={port}"),
                    *(f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"),
                    *(f"--dashboard-agent-listen-port={agent}", "--dashboard-host=127.0.0.1"),
                    *("--min-worker-port=0", "--max-worker-port=0"),
                    "--object-store-memory=80000000",
                ],
                env=self.env | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return b"ray_version" in self.call("GET", "/api/version")
        return False

    def call(self, method: str, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def status(self, job: str) -> str:
        return json.loads(self.call("GET", f"/api/jobs/{job}"))["status"]

    def kill(self) -> None:
        """End this head at once, and its jobs, which have groups of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        home = Path(self.env["RAY_TMPDIR"])
        for cwd in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if home in cwd.readlink().parents:
                    os.kill(int(cwd.parent.name), signal.SIGKILL)
        shutil.rmtree(home, ignore_errors=True)


class Job:
    """A submitting command that runs on, and what it has written."""

    def __init__(self, head: Head, *command: str | Path, env: dict[str, str] | None = None) -> None:
        self.files = [head.folder / f"{time.monotonic_ns()}.{name}" for name in ("out", "err")]
        with self.files[0].open("wb") as out, self.files[1].open("wb") as err:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env=head.env | (env or {}),
                cwd=head.folder / "project",
                stdout=out,
                stderr=err,
            )
        self.started = time.monotonic()

    @property
    def out(self) -> str:
        return self.files[0].read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self.files[1].read_text(encoding="utf-8")

    @property
    def id(self) -> str:
        found = re.search(r"raysubmit_\w+", self.out + self.err)
        assert found, self.out + self.err
        return found[0]

    def wait_until_it_runs(self) -> None:
        wait_for(lambda: "Running entrypoint" in self.out or self.process.poll() is not None)
        assert self.process.poll() is None, self.out + self.err

    def end(self, seconds: float = 60) -> int:
        try:
            code = self.process.wait(seconds)
        finally:
            self.process.kill()
        assert "Traceback" not in self.err, self.err
        return code
