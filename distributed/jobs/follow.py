"""Follows a job on a cluster: its log as it comes, and the outcome."""

import asyncio
import sys
import time

import aiohttp
import requests
from ray.exceptions import RayError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

POLL_S = 2.0  # between two questions for the job's status
LOST_S = 60.0  # without an answer: the cluster is lost. A head that restarts is back sooner
LAST_LOGS_S = 5.0  # for what a job that has ended wrote last


def follow(client: JobSubmissionClient, job: str) -> int:
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
    """Prints what a job writes, once, over any number of connections."""

    def __init__(self, client: JobSubmissionClient, job: str) -> None:
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


async def _watch(client: JobSubmissionClient, job: str, log: JobLog) -> JobDetails | None:
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
