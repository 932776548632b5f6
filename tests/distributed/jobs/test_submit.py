"""`siamese submit` and `ray job submit`, to heads that are started here, and their exit codes."""

import json
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paths import ROOT
from ray_head import BIN, TOKEN, Head, Job, wait_for

pytestmark = pytest.mark.cluster

# A command that would run for days.
LONG = ["vectors", "groups.jsonl", "--output", "/dev/null", "--dim", "4", "--epochs", "1000000000"]


@pytest.fixture(scope="module")
def start_head(tmp_path_factory) -> Iterator[Callable[..., Head]]:
    heads: list[Head] = []

    def start_head(**env: str) -> Head:
        folder = tmp_path_factory.mktemp("head")
        for name in ("siamese", "distributed"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / "project" / name, ignore=ignored)
        lines = [{"id": i, "texts": [f"第{i}个问题", f"问题{i}"]} for i in range(8)]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "project" / "groups.jsonl").write_text(text, encoding="utf-8")
        heads.append(Head(folder, env))
        return heads[-1]

    yield start_head
    for head in heads:
        head.kill()


@pytest.fixture(scope="module")
def head(start_head) -> Head:
    return start_head(RAY_AUTH_MODE="disabled")


@pytest.fixture(scope="module")
def guarded(start_head, head) -> Head:
    """A head that asks for a token."""
    return start_head(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)


def commands(head: Head) -> tuple[tuple[str | Path, ...], tuple[str | Path, ...]]:
    """What comes before a command of `siamese`: ours, and Ray's."""
    ray = (BIN / "ray", "job", "submit", "--address", head.url, "--working-dir", ".", "--")
    return (
        (BIN / "siamese", "submit", "--address", head.url, "--"),
        (*ray, "python", "-m", "distributed"),
    )


@pytest.fixture(scope="module")
def jobs(head, guarded) -> Iterator[dict[str, Job]]:
    """Jobs that end by themselves, started together."""
    wait_for(head.answers)
    siamese, ray = commands(head)
    data = head.folder / "a data set"  # its space must survive the way
    started = {
        "success": Job(head, *siamese, "shard", "groups.jsonl", "--output", data),
        "failure": Job(head, *siamese, "shard", "none.jsonl", "--output", f"{data} 3"),
        "ray success": Job(head, *ray, "shard", "groups.jsonl", "--output", f"{data} 2"),
        "ray failure": Job(head, *ray, "shard", "none.jsonl", "--output", f"{data} 3"),
    }
    yield started
    for job in started.values():
        job.process.kill()


@pytest.fixture(scope="module")
def long_jobs(head, jobs) -> Iterator[dict[str, Job]]:
    """Jobs that would run for days, started together; they take the processor from all else."""
    siamese, ray = commands(head)
    started = {
        "interrupt": Job(head, *siamese, *LONG),
        "stop": Job(head, *siamese, *LONG),
        "ray stop": Job(head, *ray, *LONG),
    }
    yield started
    for job in started.values():
        job.process.kill()


class TestExitCodes:
    @pytest.mark.parametrize("name", ["success", "ray success"])
    def test_a_job_that_succeeds(self, head, jobs, name) -> None:
        job = jobs[name]
        assert job.end() == 0, job.err
        assert "8 groups, 16 texts" in job.out
        assert head.status(job.id) == "SUCCEEDED"
        if name == "success":
            assert job.out.splitlines()[-1] == f"job {job.id} succeeded"
            assert (head.folder / "a data set" / "manifest.json").is_file()

    @pytest.mark.parametrize("name", ["failure", "ray failure"])
    def test_a_job_that_fails(self, head, jobs, name) -> None:
        job = jobs[name]
        assert job.end() == 1, job.err
        assert "error: none.jsonl: no such file. Check the path or the pattern." in job.out
        assert head.status(job.id) == "FAILED"
        if name == "failure":
            assert job.err.splitlines()[-1] == f"error: job {job.id} failed with exit code 2"

    def test_no_wait_prints_the_id_alone(self, head, jobs) -> None:
        command = ("--no-wait", "--", "shard", "none.jsonl", "--output", "/data")
        # --address goes before Ray's variables, and HOST:PORT is understood.
        env = {"RAY_ADDRESS": "http://127.0.0.1:1", "RAY_API_SERVER_ADDRESS": "127.0.0.1:1"}
        address = head.url.removeprefix("http://")
        job = Job(head, BIN / "siamese", "submit", "--address", address, *command, env=env)
        assert job.end() == 0, job.err
        assert job.out == f"{job.id}\n"
        head.status(job.id)

    @pytest.mark.parametrize("variable", ["RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"])
    def test_the_address_may_be_in_rays_variables(self, head, jobs, variable) -> None:
        command = ("submit", "--no-wait", "shard", "none.jsonl", "--output", "/data")
        address = {"RAY_ADDRESS": f"127.0.0.1:{head.port}"}.get(variable, head.url)
        job = Job(head, BIN / "siamese", *command, env={variable: address})
        assert job.end() == 0, job.err
        head.status(job.id)

    def test_ctrl_c_leaves_the_job_running_and_tells_how_to_stop_it(self, head, long_jobs) -> None:
        job = long_jobs["interrupt"]
        job.wait_until_it_runs()
        job.process.send_signal(signal.SIGINT)
        assert job.end(15) == 130
        assert f"ray job stop {job.id} --address {head.url}" in job.err
        assert head.status(job.id) == "RUNNING"
        head.call("POST", f"/api/jobs/{job.id}/stop")

    @pytest.mark.parametrize(("name", "code"), [("stop", 1), ("ray stop", 0)])
    def test_a_stopped_job_is_no_success(self, head, long_jobs, name, code) -> None:
        """Ray's own command exits with 0 for it: this is why there is `siamese submit`."""
        job = long_jobs[name]
        job.wait_until_it_runs()
        head.call("POST", f"/api/jobs/{job.id}/stop")
        assert job.end() == code, job.err
        assert head.status(job.id) == "STOPPED"
        if name == "stop":
            assert job.err.splitlines()[-1] == f"error: job {job.id} was stopped"


class TestToken:
    @pytest.fixture
    def submit(self, guarded) -> Callable[..., Job]:
        wait_for(guarded.answers)
        command = (BIN / "siamese", "submit", "--no-wait", "--address", guarded.url, "--")

        def submit(**env: str) -> Job:
            return Job(guarded, *command, "shard", "none.jsonl", "--output", "/data", env=env)

        return submit

    @pytest.mark.parametrize(
        ("env", "words"),
        [
            ({}, ["asks for a token", "RAY_AUTH_MODE=token", "RAY_AUTH_TOKEN"]),
            ({"RAY_AUTH_MODE": "token"}, ["asks for a token", "~/.ray/auth_token"]),
            (
                {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of another cluster"},
                ["refuses the token", "RAY_AUTH_TOKEN"],
            ),
        ],
        ids=["nothing", "mode", "wrong"],
    )
    def test_without_the_token_it_says_what_to_do(self, guarded, submit, env, words) -> None:
        job = submit(**env)
        assert job.end() == 2
        assert job.err.startswith(f"error: {guarded.url}: ")
        assert [word for word in words if word not in job.err] == []

    def test_with_the_token_in_the_environment_it_works(self, guarded, submit) -> None:
        job = submit(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN)
        assert job.end() == 0, job.err
        guarded.status(job.id)

    def test_with_the_token_in_a_file_it_works(self, guarded, submit, tmp_path) -> None:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text(TOKEN)
        job = submit(RAY_AUTH_MODE="token", HOME=str(tmp_path))
        assert job.end() == 0, job.err

    def test_a_lost_cluster_is_no_success(self, guarded) -> None:
        """The last test of this head: it ends it."""
        wait_for(guarded.answers)
        code = (
            "import distributed.jobs.follow as s; from distributed.cli.main import main\n"
            "s.LOST_S = 3; main()"
        )
        command = ("submit", "--address", guarded.url, "--", *LONG)
        env = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        job = Job(guarded, sys.executable, "-c", code, *command, env=env)
        job.wait_until_it_runs()
        guarded.kill()
        assert job.end(30) == 1
        assert f"what became of job {job.id} is unknown" in job.err
        assert f"ray job status {job.id} --address {guarded.url}" in job.err
