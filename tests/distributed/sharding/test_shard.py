"""Sharding by Ray's workers: the bytes that one process writes, whatever dies on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from folder_bytes import contents
from paths import ROOT

import distributed.sharding.shard
import siamese.data.sharding
from distributed.sharding.ray_map import ray_map
from distributed.sharding.shard import shard
from siamese.data.shards import read_shards
from siamese.data.sorted_runs import write_sorted_runs
from siamese.errors import UserError

pytestmark = pytest.mark.cluster

PIECE_BYTES = 5000


@pytest.fixture(scope="module")
def cluster():
    # The number is of the CPUs that Ray believes in.
    context = ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 << 20,
    )
    yield context.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture
def source(tmp_path) -> list[str]:
    """Groups in JSON Lines, and pairs."""
    rows = [
        {"id": f"组{i}", "texts": [f"第{i}组的第{j}句" for j in range(1 + i % 3)]}
        for i in range(1000)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    pairs = [f"问{i}\t问{i + 1}\t{i % 5 % 2}" for i in range(200)]
    (tmp_path / "pairs.tsv").write_text("\n".join(pairs), encoding="utf-8")
    return [str(tmp_path / "in.jsonl"), str(tmp_path / "pairs.tsv")]


@pytest.fixture
def expected(source, tmp_path) -> dict[str, bytes]:
    """What this process writes."""
    shard(source, tmp_path / "expected", rows_per_shard=150)
    return contents(tmp_path / "expected")


@pytest.fixture
def in_pieces(monkeypatch) -> None:
    monkeypatch.setattr(siamese.data.sharding, "PIECE_BYTES", PIECE_BYTES)
    monkeypatch.setattr(distributed.sharding.shard, "BYTES_WITHOUT_RAY", 0)


def command(cluster: str, *arguments: str) -> subprocess.Popen:
    """`siamese shard`, in pieces, by the workers of the cluster."""
    code = (
        "import distributed.sharding.shard as shard, siamese.data.sharding as sharding\n"
        f"sharding.PIECE_BYTES, shard.BYTES_WITHOUT_RAY = {PIECE_BYTES}, 0\n"
        "from distributed.cli.main import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "shard", *arguments],
        cwd=ROOT,
        env={**os.environ, "RAY_ADDRESS": cluster},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_workers_write_the_bytes_that_one_process_writes(
    cluster, source, expected, tmp_path, in_pieces, scheme
):
    shard(source, f"{scheme}{tmp_path}/data", rows_per_shard=150)
    assert contents(tmp_path / "data") == expected
    assert len(read_shards(tmp_path / "data")[0].groups) > 600


def test_one_json_object_is_read_by_all_workers(cluster, source, tmp_path, monkeypatch):
    rows = map(json.loads, Path(source[0]).read_text(encoding="utf-8").splitlines())
    path = tmp_path / "one.json"
    path.write_text(json.dumps({row["id"]: row["texts"] for row in rows}), encoding="utf-8")
    shard([str(path)], tmp_path / "expected", rows_per_shard=150)
    monkeypatch.setattr(siamese.data.sharding, "PIECE_BYTES", PIECE_BYTES)
    monkeypatch.setattr(distributed.sharding.shard, "BYTES_WITHOUT_RAY", 0)
    mapped = []

    def noted(function, items):
        mapped.append(len(items))
        return ray_map(function, items)

    monkeypatch.setattr(distributed.sharding.shard, "ray_map", noted)
    shard([str(path)], tmp_path / "data", rows_per_shard=150)
    assert contents(tmp_path / "data") == contents(tmp_path / "expected")
    assert mapped[0] > 10  # pieces, before the shards


def test_a_worker_that_dies_is_replaced(
    cluster, source, expected, tmp_path, in_pieces, monkeypatch
):
    died = tmp_path / "died"

    def write_and_die_once(piece, scratch, seed):
        result = write_sorted_runs(*piece, scratch, seed)
        if piece[0] == 3 and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    monkeypatch.setattr(siamese.data.sharding, "_write_sorted_runs", write_and_die_once)
    shard(source, tmp_path / "data", rows_per_shard=150)
    assert died.exists()
    assert contents(tmp_path / "data") == expected


@pytest.mark.parametrize("until", ["sorted-runs/*.arrow", "data/part-*"])
def test_a_run_that_is_killed_leaves_no_data_set_and_is_done_again(
    cluster, source, expected, tmp_path, until
):
    output = tmp_path / "data"
    arguments = (*source, "--output", str(output), "--rows-per-shard", "150")
    running = command(cluster, *arguments)
    while running.poll() is None and not list(tmp_path.glob(f".data.sharding-*/{until}")):
        time.sleep(0.001)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    running.communicate()
    assert not output.exists()
    assert list(tmp_path.glob(".data.sharding-*"))
    shard(source, output, rows_per_shard=150)
    assert contents(output) == expected
    assert not list(tmp_path.glob(".data*"))


def test_a_mistake_that_a_worker_finds_is_reported_in_a_sentence(cluster, source, tmp_path):
    lines = Path(source[0]).read_text(encoding="utf-8").splitlines()
    lines[700] = lines[900] = '{"id": 1, "texts"'
    Path(source[0]).write_text("\n".join(lines), encoding="utf-8")
    running = command(cluster, *source, "--output", str(tmp_path / "data"))
    out, err = running.communicate()
    assert err == f"error: {source[0]}, line 701, column 18: not valid JSON: " + (
        "Expecting ':' delimiter. Each line must hold one whole object.\n"
    )
    assert "holds them in memory" in out
    assert running.returncode == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "pairs.tsv"]


def test_what_cannot_be_written_is_reported_in_a_sentence(
    cluster, source, tmp_path, in_pieces, monkeypatch
):
    def no_space(piece, scratch, seed):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(siamese.data.sharding, "_write_sorted_runs", no_space)
    with pytest.raises(UserError, match="No space left on device"):
        shard(source, tmp_path / "data")
    assert not (tmp_path / "data").exists()
