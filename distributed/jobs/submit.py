"""Running a `siamese` command as a job on a cluster, through Ray's job API.

`ray job submit` does nearly the same, but exits with 0 for a job that was stopped.
"""

import asyncio
import logging
import os
import shlex
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import requests
from ray._private import services
from ray._private.ray_constants import get_runtime_env_default_excludes
from ray._private.runtime_env.packaging import GCS_STORAGE_MAX_SIZE, _dir_travel, _get_excludes
from ray.exceptions import AuthenticationError, RayError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from siamese.errors import UserError

CONNECT_S = 3.0  # for a connection, and then for a first answer
ANSWER_S = 10.0  # for an answer while a job is followed
SUBMIT_S = 120.0  # for an answer to the upload of a package or to a submission
POLL_S = 2.0  # between two questions for the job's status
LOST_S = 60.0  # without an answer: the cluster is lost. A head that restarts is back sooner
LAST_LOGS_S = 5.0  # for what a job that has ended wrote last


class JobClient(JobSubmissionClient):
    """Ray's client with a bound on the time of every request; Ray's own waits for ever."""

    answer_s = CONNECT_S

    def _do_request(self, method: str, endpoint: str, **options: Any) -> requests.Response:
        timeout = (CONNECT_S, self.answer_s)
        return super()._do_request(method, endpoint, timeout=timeout, **options)


def submit(command: list[str], address: str | None, working_dir: Path) -> tuple[JobClient, str]:
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
    # Ray tells at length what it leaves out of a package and where it was stored.
    logging.disable(logging.WARNING)
    client = connect(address)
    _check_size(working_dir)
    client.answer_s = SUBMIT_S
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
    client.answer_s = ANSWER_S
    return client, job


def connect(address: str | None) -> JobClient:
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
        return JobClient()
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
    """The address to use, when something listens there."""
    found = address
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        found = found or os.environ.get(variable)
    if found in (None, "", "auto"):
        try:
            found = services.canonicalize_bootstrap_address_or_die("auto")
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
    sizes: dict[Path, int] = {}

    def add(path: Path) -> None:
        if path.is_file():
            sizes[path] = path.stat().st_size

    root = folder.absolute()
    excludes = [_get_excludes(root, get_runtime_env_default_excludes())]
    _dir_travel(root, excludes, add, include_gitignore=True)
    if sum(sizes.values()) >= GCS_STORAGE_MAX_SIZE:
        largest = max(sizes, key=sizes.__getitem__)
        raise UserError(
            f"--working-dir {folder}: {_mib(sum(sizes.values()))} are more than the "
            f"{_mib(GCS_STORAGE_MAX_SIZE)} that a cluster takes; the largest file is "
            f"{largest.relative_to(root)} with {_mib(sizes[largest])}. Keep data on storage that "
            "the cluster reads, and name what the job does not need in .gitignore or .rayignore."
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def follow(client: JobClient, job: str) -> int:
    """Print a job's log as it comes, then the outcome.

    Returns:
        The exit code: 0 for a job that succeeded; 1 for one that failed, was stopped or whose
        cluster no longer answers; 130 when Ctrl-C ended the following. The job goes on then.
    """
    there = f"{job} --address {client.get_address()}"
    print(f"job {job} at {client.get_address()}", file=sys.stderr, flush=True)
    log = JobLog(client, job)
    try:
        details = asyncio.run(_watch(client, job, log))
    except KeyboardInterrupt:
        log.end_line()
        print(
            f"job {job} goes on. Its log: ray job logs --follow {there}. "
            f"To stop it: ray job stop {there}",
            file=sys.stderr,
        )
        return 130
    log.end_line()
    if details is None:
        print(
            f"error: the cluster has not answered for {LOST_S:g} seconds: what became of job "
            f"{job} is unknown. Ask with: ray job status {there}",
            file=sys.stderr,
        )
        return 1
    if details.status == JobStatus.SUCCEEDED:
        print(f"job {job} succeeded")
        return 0
    if details.status == JobStatus.STOPPED:
        print(f"error: job {job} was stopped", file=sys.stderr)
    elif details.driver_exit_code is not None:
        code = details.driver_exit_code
        print(f"error: job {job} failed with exit code {code}", file=sys.stderr)
    else:  # before its command ran, or with its machine: there may be no log that tells why
        print(f"error: job {job} failed: {details.message}", file=sys.stderr)
    return 1


class JobLog:
    """What a job writes, printed once, over any number of connections."""

    def __init__(self, client: JobClient, job: str) -> None:
        self.client = client
        self.job = job
        self.printed = 0
        self.complete = False
        self.last = "\n"

    async def stream(self) -> None:
        """Print the log from where it was left until it ends or the connection does."""
        # Every connection gets the log from its beginning.
        known = self.printed
        self.complete = False
        try:
            async for text in self.client.tail_job_logs(self.job):
                self._print(text[known:])
                known = max(0, known - len(text))
            self.complete = True
        except (aiohttp.ClientError, OSError, RuntimeError):
            pass  # the watch asks whether the cluster is still there, and streams again

    def catch_up(self) -> None:
        """Print what no connection has brought, when the job has ended."""
        if not self.complete:
            try:
                self._print(self.client.get_job_logs(self.job)[self.printed :])
            except (requests.RequestException, RuntimeError):
                print("the end of the log could not be read", file=sys.stderr)

    def end_line(self) -> None:
        """Start a new line unless the log's last one has ended."""
        if self.last != "\n":
            print(flush=True)

    def _print(self, text: str) -> None:
        if text:
            print(text, end="", flush=True)
            self.printed += len(text)
            self.last = text[-1]


async def _watch(client: JobClient, job: str, log: JobLog) -> JobDetails | None:
    """Stream the log until the job has ended; None when the cluster is lost."""
    answered = time.monotonic()
    stream = asyncio.create_task(log.stream())
    try:
        while True:
            # Returns at once when the stream ends, as it does with the job.
            await asyncio.wait([stream], timeout=POLL_S)
            try:
                details = await asyncio.to_thread(client.get_job_info, job)
            except (requests.RequestException, RuntimeError, RayError):
                if time.monotonic() - answered > LOST_S:
                    return None
            else:
                answered = time.monotonic()
                if details.status.is_terminal():
                    await asyncio.wait([stream], timeout=LAST_LOGS_S)
                    await asyncio.to_thread(log.catch_up)
                    return details
            if stream.done():
                await asyncio.sleep(POLL_S)
                stream = asyncio.create_task(log.stream())
    finally:
        stream.cancel()
