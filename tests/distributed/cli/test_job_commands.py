"""What `siamese submit` refuses before it uploads anything. No cluster is asked."""

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from distributed.cli.main import main
from distributed.jobs import submit as module

TRAIN = ("train", "--data", "s3://b/data", "--dev", "dev.tsv", "--run")


class FakeClient:
    """A cluster that takes every job, or says why it does not."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.jobs: list[dict[str, Any]] = []

    def submit_job(self, **options: Any) -> str:
        if self.refusal:
            raise RuntimeError(f"Request failed with status code 500:\n{self.refusal}")
        self.jobs.append(options)
        return "raysubmit_1"

    def get_address(self) -> str:
        return "http://head:8265"


@pytest.fixture
def submit(monkeypatch, tmp_path, capsys) -> Callable[..., tuple[int, str]]:
    """Submit a command to a client: the exit code, and what is printed."""
    monkeypatch.chdir(tmp_path)

    def submit(client: FakeClient, *command: str) -> tuple[int, str]:
        monkeypatch.setattr(module, "connect", lambda address: client)
        monkeypatch.setattr(sys, "argv", ["siamese", "submit", "--no-wait", "--", *command])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, "".join(capsys.readouterr())

    return submit


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("shard", "a.json", "--output", "data"), "--output data: "),
        (("shard", "a.json", "--output", "file:data"), "file:data: "),
        (("vectors", "a.json", "--output", "./v.txt"), "--output ./v.txt: "),
        (("encode", "s3://b/model", "a.txt", "--output", "v.parquet"), "--output v.parquet: "),
        (("evaluate", "s3://b/model", "a.tsv", "--json", "e.json"), "--json e.json: "),
        (("encode", "s3://b/model", "a.txt", "--output", "vectors"), "--output vectors: "),
        (
            (
                "dedup",
                "a.csv",
                "--model",
                "s3://b/m",
                "--output",
                "s3://b/k.csv",
                "--report",
                "g.csv",
            ),
            "--report g.csv: ",
        ),
        (("mine", "a.csv", "--model", "s3://b/m", "--pairs", "p.csv"), "--pairs p.csv: "),
        ((*TRAIN, "run"), "--run run: "),
        (("tune", *TRAIN[1:], "../run"), "--run ../run: "),
        (("report", "run"), "run run: "),
    ],
)
def test_an_output_that_would_be_lost_with_the_job_is_refused(submit, command, named) -> None:
    client = FakeClient()
    code, printed = submit(client, *command)
    assert (code, client.jobs) == (2, [])
    assert printed.startswith(f"error: {named}")
    assert "whole path" in printed


@pytest.mark.parametrize(
    "command",
    [
        ("shard", "a.json", "--output", "/shared/data"),
        ("shard", "a.json", "--output", "file:///shared/data"),
        ("encode", "model", "a.txt", "--output", "s3://b/v.parquet"),
        ("evaluate", "model", "a.tsv"),
        (*TRAIN, "gs://b/run"),
        ("report", "s3://b/run"),
    ],
)
def test_an_output_that_outlives_the_job_is_submitted(submit, tmp_path, command) -> None:
    os.mkfifo(tmp_path / "pipe")
    client = FakeClient()
    assert submit(client, *command) == (0, "raysubmit_1\n")
    [job] = client.jobs
    assert job["runtime_env"]["excludes"] == ["/pipe"]


def test_of_a_head_without_an_agent_it_says_what_to_do(submit) -> None:
    client = FakeClient("No available agent to submit job, please try again later.")
    code, printed = submit(client, "similarity", "model", "a", "b")
    assert code == 2
    assert "--dashboard-agent-listen-port" in printed


def test_what_goes_to_the_cluster_goes_round_the_proxy(monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "example.com")
    module._bypass_proxies("http://10.0.0.7:8265")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,10.0.0.7"
