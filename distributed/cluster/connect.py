"""Joining a Ray cluster, or starting one on this machine, quietly."""

import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from urllib.parse import urlsplit

from distributed.cluster.ray_private import (
    few_processes,
    hush_lost_nodes,
    last_cluster_address,
    local_cluster,
    unlike_a_cluster,
)
from distributed.cluster.signals import keeping
from siamese.errors import UserError

_CONNECT_S = 3.0  # for a connection to the head of a cluster, and then for an answer
_OPEN_FILES = 256  # some 100 for the process itself; each of Ray's inherits the limit
_HANGS = "no answer in time"
_ELSE = "Without RAY_ADDRESS a cluster is started here."


def connect(verbose: bool = False, object_store_memory: int | None = None) -> None:
    """Join the cluster that is there, or start one on this machine that ends with this process.

    A cluster is there inside a job, where `RAY_ADDRESS` names one, and on a machine where
    `ray start` has been run. Calling it again does nothing.

    Args:
        verbose: show what Ray and its workers write, and start all of Ray's processes, the
            dashboard's too, if a cluster is started.
        object_store_memory: bytes of shared memory, if a cluster is started; None: Ray's default,
            which is a share of the machine's.

    Raises:
        UserError: `RAY_ADDRESS` names no cluster, one that does not answer, or one of another
            version or with a token; or this process may open too few files.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would otherwise warn of a change to come in a setting that is not used here.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    _check_open_files()
    level = logging.INFO if verbose else logging.ERROR
    address = "local" if _is_gone() else None
    processes = nullcontext() if verbose else few_processes()
    # After a SIGTERM Ray would have the process end without a word.
    with keeping(signal.SIGTERM), _in_a_sentence(), processes:
        try:
            ray.init(
                address,
                log_to_driver=verbose,
                logging_level=level,
                object_store_memory=object_store_memory,
            )
        except ValueError:  # a cluster is there, which has an object store already
            ray.init(address, log_to_driver=verbose, logging_level=level)
    if not verbose:
        hush_lost_nodes()


def _check_open_files() -> None:
    """Refuse a limit of open files with which Ray's processes die without saying why."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _OPEN_FILES:
        raise UserError(
            f"this process may have {limit} files open, and Ray needs {_OPEN_FILES} or more. Raise "
            "the limit with `ulimit -n 4096`."
        )


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Turn what Ray raises when it cannot join or start a cluster into a `UserError`."""
    import ray

    try:
        yield
    except (RuntimeError, OSError, ValueError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"Ray cannot be started, or its cluster not joined: {reason}") from error


def _is_gone() -> bool:
    """Say whether the last cluster of this machine was lost without `ray stop`.

    Ray keeps that cluster's address in a file. It would try to reach it for minutes, and its client
    ends the process without an exception (`_Exit(1)`) once a request has waited for 60 s.

    Raises:
        UserError: `RAY_ADDRESS` names no cluster, or one that does not answer.
    """
    named = os.environ.get("RAY_ADDRESS", "")
    if named == "local":
        return False
    if not named:
        last = last_cluster_address()
        problem = _problem(last) if last else ""
        if _HANGS in problem:
            raise UserError(
                f"the cluster of this machine, {last}: {problem} With RAY_ADDRESS=local one is "
                "started beside it."
            )
        return bool(problem)
    address = named
    if named == "auto":
        try:
            address = local_cluster()
        except (OSError, ValueError):
            raise UserError(
                "RAY_ADDRESS=auto: no Ray cluster, or more than one, runs on this machine. Start "
                f"one with `ray start --head`, or name one, HOST:PORT. {_ELSE}"
            ) from None
    if problem := _problem(address):
        raise UserError(f"RAY_ADDRESS={named}: {problem}")
    return False


def _problem(address: str) -> str:
    """Say what is wrong with an address of a cluster, in seconds, or nothing."""
    scheme = address.partition("://")[0] if "://" in address else ""
    if scheme in ("http", "https"):
        return (
            "is the address of a dashboard, which `siamese submit` takes from "
            f"RAY_API_SERVER_ADDRESS. RAY_ADDRESS takes the HOST:PORT of `ray start`. {_ELSE}"
        )
    if scheme == "ray":
        return (
            "Ray Client is not supported. Start it on the cluster, with `siamese submit --address "
            "http://HOST:8265 -- …`."
        )
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if scheme or not host or not port:
        return f"is not an address. Give the HOST:PORT that `ray start` printed. {_ELSE}"
    reason = _silence(host, port) or unlike_a_cluster(address, _CONNECT_S)
    return reason and (
        f"no cluster answers there ({reason}). Is it running, and is this the HOST:PORT that "
        "`ray start` printed? Without RAY_ADDRESS a cluster is started here."
    )


def _silence(host: str, port: int) -> str:
    """Say why no connection can be made, or nothing."""
    failed = [_HANGS]

    def reach() -> None:
        try:
            socket.create_connection((host, port), _CONNECT_S).close()
            failed.clear()
        except TimeoutError:
            pass
        except (OSError, ValueError) as error:
            failed[:] = [getattr(error, "strerror", None) or str(error)]

    # In a thread: a name server that hangs has limits of its own.
    thread = threading.Thread(target=reach, daemon=True)
    thread.start()
    thread.join(2 * _CONNECT_S)
    return next(iter(failed), "")
