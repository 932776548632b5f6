"""Which cluster is joined. No cluster is started here: `ray.init` is replaced."""

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
import ray
from ray._private import parameter
from ray._private.node import Node

from distributed.cluster import connect as module
from distributed.cluster.connect import connect
from siamese.errors import UserError

RAY_PARAMS = parameter.RayParams


@pytest.fixture
def joined(monkeypatch, tmp_path) -> list[str | None]:
    """The addresses that `ray.init` was given, on a machine of which Ray knows nothing."""
    addresses: list[str | None] = []
    monkeypatch.setattr(ray, "init", lambda address=None, **_: addresses.append(address))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return addresses


@pytest.fixture
def last_cluster(tmp_path):
    """Write what `ray start` leaves behind: the address of its cluster."""

    def write(address: str) -> None:
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)

    return write


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that nothing listens at."""
    with socket.socket() as held:  # bound, so that no other program can take it
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def hanging() -> Iterator[str]:
    """An address at which connections are accepted, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def answering() -> Iterator[str]:
    """An address that answers as the head of a cluster does."""
    alive = grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
    service = "ray.rpc.NodeInfoGcsService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {"CheckAlive": alive})]
    )
    port = server.add_insecure_port("0.0.0.0:0")  # Ray names this machine by its address
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_without_any_trace_of_a_cluster_ray_chooses(joined) -> None:
    connect()
    assert joined == [None]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_cluster_is_of_few_processes_unless_all_is_to_be_shown(monkeypatch, verbose) -> None:
    """`ray.init` makes these parameters of what it starts, and calls this method of a node."""
    started: list[tuple[object, ...]] = []
    dashboard = Node.start_api_server

    def init(*_: object, **__: object) -> None:
        params = parameter.RayParams(num_cpus=2)
        has_dashboard = Node.start_api_server is dashboard
        started.append((not params.no_monitor, params.include_log_monitor, has_dashboard))

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setenv("RAY_ADDRESS", "local")
    connect(verbose)
    assert started == [(True, None, True) if verbose else (False, False, False)]
    assert (Node.start_api_server, parameter.RayParams) == (dashboard, RAY_PARAMS)


def test_a_cluster_that_was_lost_without_ray_stop_is_not_waited_for(
    joined, last_cluster, silent
) -> None:
    """Ray would try for minutes, and then end the process without an exception."""
    last_cluster(silent)
    start = time.monotonic()
    connect()
    assert joined == ["local"]
    assert time.monotonic() - start < 5


def test_the_last_cluster_that_answers_is_left_to_ray(joined, last_cluster, answering) -> None:
    last_cluster(answering)
    connect()
    assert joined == [None]


def test_a_named_cluster_that_does_not_answer_is_the_users_mistake(
    joined, last_cluster, silent, answering, monkeypatch
) -> None:
    last_cluster(answering)
    monkeypatch.setenv("RAY_ADDRESS", silent)
    with pytest.raises(UserError, match=f"^RAY_ADDRESS={silent}: no cluster answers there"):
        connect()
    assert joined == []


@pytest.mark.parametrize("address", ["local", ""])
def test_what_is_no_host_and_port_is_left_to_ray(joined, monkeypatch, address) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    connect()
    assert joined == [None]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:8265", "is the address of a dashboard.*RAY_API_SERVER_ADDRESS"),
        ("https://head", "is the address of a dashboard.*RAY_API_SERVER_ADDRESS"),
        ("ray://127.0.0.1:10001", "Ray Client is not supported.*siamese submit"),
        ("foo", "is not an address.*HOST:PORT"),
        ("foo:bar", "is not an address.*HOST:PORT"),
        (":6379", "is not an address"),
        ("127.0.0.1:", "is not an address"),
        ("127.0.0.1:99999", "is not an address"),
        ("[::1", "is not an address"),
        ("redis://127.0.0.1:6379", "is not an address"),
        ("no.such.host.invalid:6379", "no cluster answers there"),
    ],
)
def test_what_names_no_cluster_is_refused_in_a_sentence(
    joined, monkeypatch, address, words
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=f"^RAY_ADDRESS={re.escape(address)}: {words}"):
        connect()
    assert joined == []


def test_auto_takes_the_cluster_of_this_machine_if_it_answers(
    joined, last_cluster, answering, monkeypatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    last_cluster(answering)
    connect()
    assert joined == [None]


@pytest.mark.parametrize("error", [ConnectionError("none"), ValueError("two")])
def test_auto_without_a_cluster_is_refused(joined, monkeypatch, error) -> None:
    def find() -> str:
        raise error

    monkeypatch.setattr(module, "local_cluster", find)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(UserError, match=r"^RAY_ADDRESS=auto: no Ray cluster.*ray start --head"):
        connect()


@pytest.mark.parametrize("named", [True, False])
def test_a_head_that_never_answers_is_not_waited_for(
    joined, last_cluster, hanging, monkeypatch, named
) -> None:
    monkeypatch.setattr(module, "_CONNECT_S", 0.3)
    if named:
        monkeypatch.setenv("RAY_ADDRESS", hanging)
    else:
        last_cluster(hanging)
    with pytest.raises(UserError, match=r"no cluster answers there \(no answer in time\)"):
        connect()
    assert joined == []


@pytest.mark.parametrize("last", ["", "junk", "http://127.0.0.1:1"])
def test_a_damaged_note_of_the_last_cluster_is_none(joined, last_cluster, last) -> None:
    last_cluster(last)
    connect()
    assert joined == ["local" if last else None]


def test_another_program_at_the_port_is_no_cluster(joined, monkeypatch) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    monkeypatch.setattr(BaseHTTPRequestHandler, "log_message", lambda *_: None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.server_port}")
    with pytest.raises(UserError, match="speaks another protocol"):
        connect()
    server.shutdown()


def test_what_ray_raises_is_a_sentence_and_sigterm_stays_ours(joined, monkeypatch) -> None:
    def init(*_: object, **__: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise RuntimeError("Version mismatch:\n  Ray: 2.1")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UserError, match=r"Version mismatch: Ray: 2\.1"):
        connect()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_named_cluster_that_answers_is_joined(joined, answering, monkeypatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", answering)
    connect()
    assert joined == [None]


def test_too_few_open_files_are_refused(joined, monkeypatch) -> None:
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (64, 64))
    with pytest.raises(UserError, match=r"64 files open.*ulimit -n 4096"):
        connect()
    assert joined == []
