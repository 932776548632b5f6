"""Joining a Ray cluster, or starting one on this machine, quietly."""

import logging
import os
import socket
from urllib.parse import urlsplit

from distributed.cluster.ray_private import hush_lost_nodes, last_cluster_address
from siamese.errors import UserError

_CONNECT_S = 3.0  # for a connection to the head of a cluster


def connect(verbose: bool = False, object_store_memory: int | None = None) -> None:
    """Join the cluster that is there, or start one on this machine that ends with this process.

    A cluster is there inside a job, where `RAY_ADDRESS` names one, and on a machine where
    `ray start` has been run. Calling it again does nothing.

    Args:
        verbose: show what Ray and its workers write.
        object_store_memory: bytes of shared memory, if a cluster is started; None: Ray's default,
            which is a share of the machine's.

    Raises:
        UserError: `RAY_ADDRESS` names a cluster that does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would otherwise warn of a change to come in a setting that is not used here.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    level = logging.INFO if verbose else logging.ERROR
    address = "local" if _is_gone() else None
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


def _is_gone() -> bool:
    """Say whether the last cluster of this machine was lost without `ray stop`.

    Ray keeps that cluster's address in a file. It would try to reach it for minutes, and its client
    ends the process without an exception (`_Exit(1)`) once a request has waited for 60 s.

    Raises:
        UserError: `RAY_ADDRESS` names a cluster that does not answer.
    """
    named = os.environ.get("RAY_ADDRESS")
    address = named or last_cluster_address()
    if not address or address in ("auto", "local") or "://" in address:
        return False
    try:
        parts = urlsplit(f"//{address}")
        socket.create_connection((parts.hostname or "", parts.port or 0), _CONNECT_S).close()
    except (OSError, ValueError) as error:
        if named:
            raise UserError(
                f"RAY_ADDRESS={named}: no cluster answers there "
                f"({getattr(error, 'strerror', None) or error}). Is it running, and is this the "
                "HOST:PORT that `ray start` printed? Without RAY_ADDRESS a cluster is started here."
            ) from error
        return True
    return False
