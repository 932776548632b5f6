"""Starts a `siamese` command as a job on a cluster, through Ray's job API.

`ray job submit` does nearly the same, but exits with 0 for a job that was stopped.
"""

import logging
import os
import shlex
import socket
from pathlib import Path
from urllib.parse import urlsplit

import requests
from ray.exceptions import AuthenticationError, RayError
from ray.job_submission import JobSubmissionClient

from distributed.cluster.ray_private import job_client, local_cluster, package_files, package_limit
from siamese.errors import UserError

CONNECT_S = 3.0  # for a connection, and then for a first answer
ANSWER_S = 10.0  # for an answer while a job is followed
SUBMIT_S = 120.0  # for an answer to the upload of a package or to a submission


def submit(
    command: list[str], address: str | None, working_dir: Path
) -> tuple[JobSubmissionClient, str]:
    """Upload a folder and start a command of `siamese` in it on a cluster.

    Args:
        command: the command and its arguments, as given to `siamese`.
        address: of the cluster's dashboard, `http://HOST:8265`; without one, what Ray's
            variables name, or the cluster of this machine.
        working_dir: the folder that the job runs in. What its `.gitignore` and `.rayignore` name
            stays here.

    Returns:
        The connection to the cluster and the id of the job.

    Raises:
        UserError: there is no such folder, it is too large, or the cluster is not there or does
            not let us in.
    """
    if not working_dir.is_dir():
        raise UserError(
            f"--working-dir {working_dir}: no such folder. Give the one to run the job in."
        )
    # Ray says at length what it leaves out of a package and where it was stored.
    logging.disable(logging.WARNING)
    client = connect(address)
    _check_size(working_dir)
    client.limits = (CONNECT_S, SUBMIT_S)  # type: ignore[attr-defined]
    try:
        job = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "distributed", *command]),
            runtime_env={
                "working_dir": str(working_dir.resolve()),
                # Python would hold back some thousand characters of the log.
                "env_vars": {"PYTHONUNBUFFERED": "1"},
            },
        )
    except (requests.RequestException, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise UserError(f"{client.get_address()}: did not take the job: {reason}") from error
    client.limits = (CONNECT_S, ANSWER_S)  # type: ignore[attr-defined]
    return client, job


def connect(address: str | None) -> JobSubmissionClient:
    """Reach a cluster's dashboard, in seconds or not at all.

    Args:
        address: as in `submit`.

    Raises:
        UserError: nothing answers there, it is no Ray dashboard, or it asks for a token.
    """
    url = _find(address)
    try:
        # Not as an argument: Ray prefers its variables to that.
        os.environ["RAY_API_SERVER_ADDRESS"] = url
        client: JobSubmissionClient = job_client((CONNECT_S, CONNECT_S))
        return client
    except AuthenticationError as error:
        if str(error).startswith("Authentication failed"):
            raise UserError(
                f"{url}: refuses the token of this machine. Put the cluster's token, which "
                "`ray get-auth-token` prints on its head, into RAY_AUTH_TOKEN."
            ) from error
        raise UserError(
            f"{url}: asks for a token. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to the "
            "cluster's token, which `ray get-auth-token` prints on its head (or put it into "
            "~/.ray/auth_token)."
        ) from error
    except (requests.RequestException, OSError, RuntimeError, ValueError, RayError) as error:
        raise UserError(
            f"{url}: is not the dashboard of a Ray cluster, or it does not answer. "
            "Give --address http://HOST:8265."
        ) from error


def _find(address: str | None) -> str:
    """Find the address to use, and check that something listens there."""
    found = address
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        found = found or os.environ.get(variable)
    if found in (None, "", "auto"):
        try:
            found = local_cluster()
        except (OSError, ValueError) as error:
            raise UserError(
                "no Ray cluster, or more than one, runs on this machine. Start one with "
                "`ray start --head`, or give --address http://HOST:8265."
            ) from error
    assert found is not None
    scheme, _, rest = found.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port or (443 if scheme == "https" else 80)
        if scheme not in ("", "http", "https", "ray") or not parts.hostname:
            raise ValueError
        socket.create_connection((parts.hostname, port), timeout=CONNECT_S).close()
    except ValueError as error:
        raise UserError(f"{found}: not an address. Give --address http://HOST:8265.") from error
    except OSError as error:
        raise UserError(
            f"{found}: no cluster answers there ({error.strerror or error}). Is it running, and "
            "is this the address of its dashboard, http://HOST:8265?"
        ) from error
    if scheme:
        return found
    # HOST:PORT without a scheme may be the dashboard, or the port that `ray start` gives.
    try:
        requests.get(f"http://{found}/api/version", timeout=CONNECT_S)
    except requests.ReadTimeout:
        pass
    except requests.RequestException:  # does not speak HTTP
        return found
    return f"http://{found}"


def _check_size(folder: Path) -> None:
    """Refuse a folder that Ray would refuse after packing and sending all of it."""
    root = folder.absolute()
    sizes = package_files(root)
    limit = package_limit()
    if sum(sizes.values()) >= limit:
        largest = max(sizes, key=sizes.__getitem__)
        raise UserError(
            f"--working-dir {folder}: {_mib(sum(sizes.values()))} are more than the "
            f"{_mib(limit)} that a cluster takes; the largest file is "
            f"{largest.relative_to(root)} with {_mib(sizes[largest])}. Keep data on storage that "
            "the cluster reads, and name what the job does not need in .gitignore or .rayignore."
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
