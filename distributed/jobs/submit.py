"""Starts a `siamese` command as a job on a cluster, through Ray's job API.

`ray job submit` does nearly the same, but exits with 0 for a job that was stopped.
"""

import logging
import os
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests
from ray.exceptions import AuthenticationError, RayError
from ray.job_submission import JobSubmissionClient

from distributed.cluster.ray_private import job_client, local_cluster
from distributed.jobs.package import check_package
from siamese.errors import UserError
from siamese.storage.filesystem import path_of

CONNECT_S = 3.0  # for a connection, and then for a first answer
ANSWER_S = 10.0  # for an answer while a job is followed
SUBMIT_S = 120.0  # for an answer to the upload of a package or to a submission


def submit(
    command: list[str], address: str | None, working_dir: Path, outputs: Mapping[str, str]
) -> tuple[JobSubmissionClient, str]:
    """Upload a folder and start a command of `siamese` in it on a cluster.

    Args:
        command: the command and its arguments, as given to `siamese`.
        address: of the cluster's dashboard, `http://HOST:8265`; without one, what Ray's
            variables name, or the cluster of this machine.
        working_dir: the folder that the job runs in. What its `.gitignore` and `.rayignore` name
            stays here, and so does what is no plain file.
        outputs: the paths or URIs that the command writes, by option.

    Returns:
        The connection to the cluster and the id of the job.

    Raises:
        UserError: there is no such folder, it is too large or cannot be packed; an output would be
            lost with the job; or the cluster is not there, does not let us in or takes no jobs.
    """
    if not working_dir.is_dir():
        raise UserError(
            f"--working-dir {working_dir}: no such folder. Give the one to run the job in."
        )
    _check_outputs(outputs)
    # Ray says at length what it leaves out of a package and where it was stored.
    logging.disable(logging.WARNING)
    client = connect(address)
    left_out = check_package(working_dir)
    client.limits = (CONNECT_S, SUBMIT_S)  # type: ignore[attr-defined]
    try:
        job = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "distributed", *command]),
            runtime_env={
                "working_dir": str(working_dir.resolve()),
                "excludes": left_out,
                # Python would hold back some thousand characters of the log.
                "env_vars": {"PYTHONUNBUFFERED": "1"},
            },
        )
    except (requests.RequestException, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1]
        if "No available agent" in reason:
            reason = (
                "it has no agent, which takes jobs: it has just been started, or the agent's port "
                "52365 is taken there. Try again in some seconds, or start it with `ray start "
                "--head --dashboard-agent-listen-port=PORT`."
            )
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
    _bypass_proxies(url)
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
    _bypass_proxies(f"http://{found}")
    try:
        requests.get(f"http://{found}/api/version", timeout=CONNECT_S)
    except requests.ReadTimeout:
        pass
    except requests.RequestException:  # does not speak HTTP
        return found
    return f"http://{found}"


def _bypass_proxies(url: str) -> None:
    """Send what goes to a cluster there: a connection has been made, and a proxy may know no way.

    As curl and requests have it, `no_proxy` lists what is reached without `http_proxy`.
    """
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = ",".join(filter(None, (known, urlsplit(url).hostname)))
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = hosts


def _check_outputs(outputs: Mapping[str, str]) -> None:
    """Refuse what the job would write into its copy of the working directory.

    Ray removes that copy, and gives it again to the next job that is submitted from here.
    """
    for option, location in outputs.items():
        path = path_of(location)
        if path is not None and not path.is_absolute():
            raise UserError(
                f"{option} {location}: the job would write it into its copy of the working "
                "directory, which is removed. Give a whole path, on storage that outlives the job, "
                "or a URI such as s3://bucket/folder."
            )
