"""Which cluster is joined. No cluster is started here: `ray.init` is replaced."""

import socket
import time
from collections.abc import Iterator

import pytest
import ray

from distributed.cluster.connect import connect
from siamese.errors import UserError


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
def answering() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_without_any_trace_of_a_cluster_ray_chooses(joined) -> None:
    connect()
    assert joined == [None]


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


@pytest.mark.parametrize("address", ["auto", "local", "ray://127.0.0.1:1"])
def test_what_is_no_host_and_port_is_left_to_ray(joined, monkeypatch, address) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    connect()
    assert joined == [None]


def test_a_named_cluster_that_answers_is_joined(joined, answering, monkeypatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", answering)
    connect()
    assert joined == [None]
