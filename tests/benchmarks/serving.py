"""`siamese serve` under load, beside the same encoder behind plain FastAPI.

Requests a second and waiting times; then a replica is killed and the model replaced; then memory.

    python tests/benchmarks/serving.py run/best --index faq-index

Ten minutes, unless `--seconds` says otherwise. Everything happens on this machine's loopback
interface; the clients are one process and ask one question at a time each, without a pause.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import show

from siamese.data.reading import read_texts
from siamese.storage.atomic import read_json, replacing_folder, sha256_of, write_json

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from service import Service  # noqa: E402

CLIENTS = (1, 8, 64)
DISTURBED_BY = 8  # clients while a replica is killed and the model is replaced
SAMPLE = ROOT / "data" / "siamese" / "df_test.txt"
TEXTS = 2000

CAPTION = """{texts:,} different texts of {source}, one a request. Client and servers share the
machine. Plain FastAPI: one process, functions that FastAPI calls in threads. Memory: proportional
set size of the processes that answer, without Ray's own ({ray} MiB), before and after the load, and
after the faults."""


class Figures(NamedTuple):
    """What the clients saw: seconds of each answer, and what was no answer with status 200."""

    seconds: list[float]
    failures: list[str]


async def client(port: int, requests: list[bytes], start: int, until: float, seen: Figures) -> None:
    """Ask one question after the other on one connection, and on a new one after a failure."""
    reader = writer = None
    number = start
    while (begin := time.perf_counter()) < until:
        number += 1
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert reader is not None
            writer.write(requests[number % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, EOFError, ValueError) as error:
            seen.failures.append(repr(error))
            writer = None
            await asyncio.sleep(0.01)
            continue
        seen.seconds.append(time.perf_counter() - begin)
        status = head.split(maxsplit=2)[1].decode()
        if status != "200":
            seen.failures.append(status)


def _ask(port: int, path: str, bodies: list[bytes], clients: int, seconds: float) -> Figures:
    """Have clients ask for some seconds; runs in a process of its own."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    seen = Figures([], [])

    async def work() -> None:
        until = time.perf_counter() + seconds
        step = len(requests) // clients
        every = [client(port, requests, n * step, until, seen) for n in range(clients)]
        await asyncio.gather(*every)

    asyncio.run(work())
    return seen


class Clients:
    """The process that the clients are."""

    def __init__(self) -> None:
        self._pool = get_context("spawn").Pool(1)

    def ask(self, port: int, path: str, bodies: list[bytes], clients: int, seconds: float) -> Any:
        """Begin to ask; `get()` of what is returned waits for the figures."""
        return self._pool.apply_async(_ask, (port, path, bodies, clients, seconds))


@contextmanager
def plain(model: str, index: str | None) -> Iterator[tuple[int, int]]:
    """Start the peer; its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("plain_fastapi.py")), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "MODEL": model, "INDEX": index or ""})
    try:
        until = time.monotonic() + 60
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            assert process.poll() is None and time.monotonic() < until, "the peer does not start"
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


def memory(pids: list[int]) -> int:
    """The memory of processes in MiB: what they share counts in parts."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total >> 10


def row(server: str, path: str, clients: int, seen: Figures, seconds: float) -> dict[str, Any]:
    times = 1000 * np.array(seen.seconds)
    print(f"{server} {path} {clients} clients: {len(times) / seconds:.0f} requests/s", flush=True)
    return {
        "server": server,
        "path": path,
        "clients": clients,
        "requests/s": len(times) / seconds,
        "p50 (ms)": float(np.percentile(times, 50)),
        "p99 (ms)": float(np.percentile(times, 99)),
        "failed": len(seen.failures),
    }


def another_model(model: Path, threshold: float) -> None:
    """Put the same model with another threshold in its place, as a new run's would be."""
    with replacing_folder(model) as beside:
        shutil.copytree(model, beside, dirs_exist_ok=True)
        metrics, manifest = read_json(beside / "metrics.json"), read_json(beside / "manifest.json")
        write_json(beside / "metrics.json", {**metrics, "threshold": threshold})
        manifest["sha256"]["metrics.json"] = sha256_of(beside / "metrics.json")
        write_json(beside / "manifest.json", manifest)


def disturbed(
    served: Service, clients: Clients, bodies: list[bytes], seconds: float, model: Path
) -> list[dict[str, Any]]:
    """Kill a replica and replace the model, every two seconds, while clients ask."""
    rows, port = [], int(served.url.rpartition(":")[2])
    for what in ("a replica is killed", "the model is replaced"):
        asked = clients.ask(port, "/v1/embeddings", bodies, DISTURBED_BY, seconds)
        until, times = time.monotonic() + seconds - 2, 0
        while time.monotonic() < until:
            time.sleep(2)
            if what == "the model is replaced":
                another_model(model, 0.5 + times / 1000)
                times += 1
            elif replicas := served.replicas():
                os.kill(replicas[0], signal.SIGKILL)
                times += 1
        seen = asked.get()
        rows.append(row(f"{what}, {times} times", "/v1/embeddings", DISTURBED_BY, seen, seconds))
        if seen.failures:
            print(sorted(set(seen.failures)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("model")
    parser.add_argument("--index")
    parser.add_argument("--texts", type=Path, default=SAMPLE, help="what is asked")
    parser.add_argument("--seconds", type=float, help="for each figure; else ten minutes in all")
    parser.add_argument("--replicas", default="1")
    parser.add_argument("--cpus-per-replica", default="1")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    texts = [text for text in read_texts([str(options.texts)]) if text.strip()][:TEXTS]
    asked = {"/v1/embeddings": [json.dumps({"input": text}).encode() for text in texts]}
    if options.index:
        asked["/search"] = [json.dumps({"query": text, "k": 1}).encode() for text in texts]
    seconds = options.seconds or 600 / (2 * len(asked) * len(CLIENTS) + 2)
    rows: list[dict[str, Any]] = []
    clients = Clients()

    def warm_up(port: int) -> None:
        for path, bodies in asked.items():
            clients.ask(port, path, bodies, 8, 2).get()

    def measure(server: str, port: int) -> None:
        for path, bodies in asked.items():
            for count in CLIENTS:
                seen = clients.ask(port, path, bodies, count, seconds).get()
                rows.append(row(server, path, count, seen, seconds))

    with tempfile.TemporaryDirectory() as temporary:
        model = Path(temporary) / "best"
        shutil.copytree(options.model, model)
        with plain(str(model), options.index) as (port, pid):
            warm_up(port)
            grown = {"plain FastAPI": [memory([pid])]}
            measure("plain FastAPI", port)
            grown["plain FastAPI"].append(memory([pid]))
        arguments = [str(model), "--port", "0", "--replicas", options.replicas]
        arguments += ["--cpus-per-replica", options.cpus_per_replica]
        if options.index:
            arguments += ["--index", options.index]
        with Service(*arguments) as served:
            port = int(served.url.rpartition(":")[2])
            own = served.process.pid
            warm_up(port)
            grown["siamese serve"] = [memory([own, *served.replicas()])]
            measure("siamese serve", port)
            grown["siamese serve"].append(memory([own, *served.replicas()]))
            rows += disturbed(served, clients, asked["/v1/embeddings"], seconds, model)
            grown["siamese serve"].append(memory([own, *served.replicas()]))
            ray = memory([*served.started()]) - memory(served.replicas())
    caption = CAPTION.format(texts=len(texts), source=options.texts.name, ray=ray)
    for name, sizes in grown.items():
        caption += f" {name}: {' -> '.join(map(str, sizes))} MiB."
    show("Serving", rows, caption, options.json)
    if any(each["failed"] for each in rows if each["server"] != "plain FastAPI"):
        sys.exit("requests failed")


if __name__ == "__main__":
    main()
