"""What `siamese submit` refuses before a cluster is asked, and a cluster that is not there."""

import os
import socket
import subprocess
import time
from collections.abc import Callable

import pytest
from ray_head import BIN

pytestmark = pytest.mark.cluster


class TestMistakes:
    """What is refused before a cluster is asked, and a cluster that is not there."""

    @pytest.fixture
    def refused(self, tmp_path) -> Callable[..., str]:
        def refused(*arguments: str, **env: str) -> str:
            kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
            started = time.monotonic()
            done = subprocess.run(
                [BIN / "siamese", "submit", *arguments],
                env=kept | {"RAY_TMPDIR": str(tmp_path), "PATH": "", "TERM": "dumb"} | env,
                cwd=tmp_path,
                capture_output=True,
                encoding="utf-8",
            )
            assert time.monotonic() - started < 20  # 10, were the machine idle
            assert done.returncode == 2, done.stderr
            assert done.stdout == ""
            assert "Traceback" not in done.stderr
            return done.stderr

        return refused

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ([], ["Missing argument"]),
            (["trian"], ["No such command 'trian'", "'train'"]),
            (["submit", "--", "train"], ["cannot submit itself"]),
            (["shard", "a.json"], ["--output"]),
            (["shard", "a.json", "--output", "d", "--rows-per-shard", "0"], ["--rows-per-shard"]),
        ],
        ids=lambda value: " ".join(value),
    )
    def test_a_command_that_the_cluster_would_refuse(self, refused, command, words) -> None:
        told = refused("--address", "http://127.0.0.1:1", "--", *command)
        assert [word for word in words if word not in told] == []

    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ("http://127.0.0.1:1", ["no cluster answers", "Connection refused"]),
            ("127.0.0.1:1", ["no cluster answers"]),
            ("ray://127.0.0.1:1", ["no cluster answers"]),
            ("ftp://127.0.0.1:1", ["not an address"]),
            ("http://", ["not an address"]),
        ],
    )
    def test_no_cluster_at_the_address(self, refused, address, words) -> None:
        told = refused("--address", address, "--", "shard", "a.json", "--output", "/d")
        assert told.startswith(f"error: {address}: ")
        assert [word for word in [*words, "http://HOST:8265"] if word not in told] == []

    def test_no_cluster_at_rays_variable(self, refused) -> None:
        told = refused("shard", "a", "--output", "/d", RAY_ADDRESS="http://127.0.0.1:1")
        assert told.startswith("error: http://127.0.0.1:1: no cluster answers")

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_a_server_that_never_answers(self, refused, scheme) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
            told = refused("--address", address, "--", "shard", "a.json", "--output", "/d")
        assert "is not the dashboard of a Ray cluster, or it does not answer" in told

    def test_no_working_directory(self, refused) -> None:
        told = refused("--working-dir", "none", "--", "shard", "a.json", "--output", "/d")
        assert told.startswith("error: --working-dir none: no such folder.")
