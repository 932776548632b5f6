"""Before a run starts: one message says what is asked, what is there, and what to change."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import ray._private.worker
import yaml
from preflight_process import in_a_process
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import ClusterConfig, NodeGroupConfig

from distributed.cluster import capacity, node_checks, preflight
from distributed.cluster.preflight import Request
from siamese.errors import UserError
from siamese.training.execution import Execution

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head and a node of 4 CPUs each, and one of 2 CPUs and 2 GPUs that Ray is only told of."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=4)
    cluster.add_node(num_cpus=2, num_gpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def check(cluster: Cluster, tmp_path: Path) -> Callable[..., list[str]]:
    """`preflight`, with a run folder that is not there yet unless one is given."""

    def check(request: Request, read: tuple[Any, ...] = (), run: Any = None) -> list[str]:
        run = tmp_path / "runs" / "new" if run is None else run
        return preflight.preflight(request, read=[str(path) for path in read], run=str(run))

    return check


def workers(count: int, cpus: float = 1, gpus: float = 0, most: int = 0) -> Request:
    execution = Execution(
        workers=(count, most or count), cpus_per_worker=cpus, gpus_per_worker=gpus
    )
    return Request(execution)


def refusal(check: Callable[..., list[str]], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(UserError) as error:
        check(*args, **kwargs)
    return str(error.value)


def line(message: str, label: str) -> str:
    (found,) = [text for text in message.splitlines() if text.split()[0] == label]
    return found.removeprefix(f"  {label:<8} ")


# --- what fits


def test_what_fits_passes_and_leaves_nothing_behind(
    check: Callable[..., list[str]], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    notes = check(workers(4, cpus=2), read=(data, f"file://{data}"))
    assert notes[0] == "3 nodes, 2 CPUs left for data"
    assert notes[1].startswith("training on CPU: 2 GPUs left unused")
    assert len(notes) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_no_cpu_left_for_data_is_told_but_not_refused(check: Callable[..., list[str]]) -> None:
    assert check(workers(10))[0].startswith("3 nodes, 0 CPUs left for data (training needs none")


def test_workers_that_never_fit_are_refused_with_changes_that_pass(
    check: Callable[..., list[str]],
) -> None:
    message = refusal(check, workers(4, cpus=3))  # 10 CPUs in all, but a worker needs one node
    assert message.startswith("the cluster cannot run this:\n")
    assert line(message, "asked") == "4 workers of 3 CPUs each"
    assert line(message, "there").startswith("3 nodes: head 4 CPUs (4 free); ")
    assert "2 CPUs (2 free), 2 GPUs (2 free)" in line(message, "there")
    assert line(message, "fits") == "2 workers at most: a worker does not span nodes"
    assert line(message, "change") == (
        "--workers 2, or --cpus-per-worker 2, or add nodes with at least 3 CPUs"
    )
    check(workers(2, cpus=3))
    check(workers(4, cpus=2))


def test_an_elastic_run_needs_its_least_workers_and_notes_how_many_fit(
    check: Callable[..., list[str]],
) -> None:
    assert "2 of 4 workers fit now" in check(workers(1, cpus=3, most=4))
    message = refusal(check, workers(3, cpus=3, most=4))
    assert line(message, "asked") == "3 to 4 workers of 3 CPUs each"
    assert line(message, "change").startswith("--workers 2:4, or --cpus-per-worker 2, or ")


def test_gpus_that_are_not_there_are_refused_with_the_share_that_fits(
    check: Callable[..., list[str]],
) -> None:
    assert not any("training on CPU" in note for note in check(workers(2, gpus=1)))
    check(workers(2, gpus=0.5))
    message = refusal(check, workers(3, gpus=1))
    assert line(message, "asked") == "3 workers of 1 CPU and 1 GPU each"
    assert line(message, "change").startswith("--workers 2, or --gpus-per-worker 0, or ")


def test_without_any_gpu_the_message_says_so(cluster: Cluster) -> None:
    nodes = [node for node in capacity.alive_nodes() if "GPU" not in node.total]
    message = dict(preflight._misfit(workers(2, gpus=1), nodes, []))
    assert message["fits"].startswith("nothing: no node has a GPU")
    assert message["change"].startswith("--gpus-per-worker 0, or ")


def test_what_other_work_holds_is_refused_in_less_than_10_s_and_freed_again_passes(
    check: Callable[..., list[str]],
) -> None:
    @ray.remote(num_cpus=3)
    class Other:
        def started(self) -> None: ...

    other = Other.remote()
    ray.get(other.started.remote())
    start = time.monotonic()
    message = refusal(check, workers(2, cpus=4))
    assert time.monotonic() - start < 10
    assert line(message, "fits").startswith("1 worker now, 2 when other work ends")
    assert line(message, "change") == (
        "--workers 1, or --cpus-per-worker 2, or wait for the other work to end"
    )
    ray.kill(other)  # what it held comes back a moment later: preflight waits for that
    check(workers(2, cpus=4))


# --- an autoscaler


def test_nodes_that_the_autoscaler_may_add_are_counted_where_it_reports_its_limits(
    check: Callable[..., list[str]],
) -> None:
    def report(*kinds: NodeGroupConfig) -> None:
        config = ClusterConfig(node_group_configs=kinds)
        ray._private.worker.global_worker.gcs_client.report_cluster_config(
            config.SerializeToString()
        )

    # Two nodes of 4 CPUs run already.
    report(NodeGroupConfig(name="cpu", resources={"CPU": 4}, max_count=4))
    try:
        assert "2 of 4 workers fit now; the autoscaler may add 2 nodes" in check(workers(4, cpus=4))
        message = refusal(check, workers(5, cpus=4))
    finally:
        report()
    assert line(message, "fits").startswith("4 workers at most")
    assert line(message, "fits").endswith("2 of them on nodes that the autoscaler may add")


def test_the_limits_of_ray_up_are_read_from_the_file_that_it_leaves_on_the_head(
    check: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {
        "max_workers": 5,
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 4}},
            "big": {"resources": {"CPU": 16}, "min_workers": 0, "max_workers": 2},
        },
    }
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setattr(capacity, "BOOTSTRAP", file)
    assert "0 of 2 workers fit now; the autoscaler may add 2 nodes" in check(workers(2, cpus=16))
    assert "3 workers" in line(refusal(check, workers(3, cpus=16)), "asked")


# --- storage


def test_a_run_folder_that_cannot_be_written_is_refused(check: Callable[..., list[str]]) -> None:
    message = refusal(check, workers(1), run="/proc/run")  # root, too, cannot write there
    assert line(message, "problem").startswith("/proc/run: /proc cannot be written (")


def test_a_run_folder_below_a_file_is_refused(
    check: Callable[..., list[str]], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    message = refusal(check, workers(1), run=file / "run")
    assert f"{file} is a file, not a folder" in line(message, "problem")


def test_every_problem_is_in_the_one_message(
    check: Callable[..., list[str]], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    message = refusal(
        check, workers(99), read=(missing, "nosuch://x/y", "memory://none"), run="/proc/run"
    )
    assert f"{missing}: no such file or folder" in message
    assert "nosuch://x/y: " in message
    assert "memory://none: no such file or folder" in message
    assert "/proc/run: " in message
    assert line(message, "asked") == "99 workers of 1 CPU each"


def test_a_missing_path_is_told_once_not_once_a_node(
    check: Callable[..., list[str]], tmp_path: Path
) -> None:
    message = refusal(check, workers(1), read=(tmp_path / "missing",))
    assert line(message, "problem").startswith(f"{tmp_path / 'missing'}: no such file or folder")


def test_a_bucket_that_never_answers_is_named_and_the_process_ends(cluster: Cluster) -> None:
    # pyarrow would keep the process from ending for more than a minute, were it called there.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"s3://b/a?scheme=http&endpoint_override=127.0.0.1:{silent.getsockname()[1]}"
        process = in_a_process(cluster, uri, "preflight._NODES_LIMIT = 4")
        output, errors = process.communicate("\n", timeout=30)
    assert f"writing {uri}: no answer in time" in output, errors
    assert process.returncode == 2


# --- nodes


def test_other_versions_and_missing_packages_on_a_node_are_problems(cluster: Cluster) -> None:
    node = capacity.alive_nodes()[1]
    mine = node_checks.look(node.id, [], None)
    assert mine["missing"] == []
    assert node_checks._differences(node, mine, mine) == []
    versions = {**mine["versions"], "tensorflow": "1.0", "Python": "3.0.0"}
    problems = node_checks._differences(
        node, mine, {**mine, "versions": versions, "missing": ["keras"]}
    )
    assert len(problems) == 3
    assert all(problem.startswith(node.name) for problem in problems)
    assert "keras not installed" in problems[0]
    assert f"tensorflow 1.0, but {mine['versions']['tensorflow']} here" in problems[2]


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.call(["unshare", "-m", "true"]) != 0,
    reason="needs the right to give a process a file system of its own (unshare -m)",
)
def test_folders_that_a_node_does_not_share_are_refused(
    cluster: Cluster, check: Callable[..., list[str]], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    ray_command = Path(sys.executable).with_name("ray")
    start = (
        f"mount -t tmpfs none {tmp_path} && exec {ray_command} start "
        f"--address={cluster.address} --num-cpus=1 --block"
    )
    node = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", start], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while len(capacity.alive_nodes()) < 4:
            assert node.poll() is None
            time.sleep(0.1)
        message = refusal(check, workers(1), read=(data,))
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait()
    assert f"{data}: here, but not on " in message
    assert f"{tmp_path}: not the same folder on " in message
    assert list(tmp_path.iterdir()) == [data]


def test_a_node_that_hangs_is_named_in_less_than_10_s(
    cluster: Cluster, check: Callable[..., list[str]], tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1)
    raylet = node.all_processes["raylet"][0].process.pid
    name = next(n.name for n in capacity.alive_nodes() if n.id == node.node_id)
    os.kill(raylet, signal.SIGSTOP)
    try:
        start = time.monotonic()
        message = refusal(check, workers(1))
        assert time.monotonic() - start < 10
    finally:
        os.kill(raylet, signal.SIGCONT)
        cluster.remove_node(node)
    assert line(message, "problem").startswith(f"{name}: no answer in time")
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_hangs_is_told_and_the_process_ends(cluster: Cluster, tmp_path: Path) -> None:
    process = in_a_process(cluster, str(tmp_path), "preflight.LIMIT = 1")
    known = len(ray._private.state.jobs())
    deadline = time.monotonic() + 30
    while len(ray._private.state.jobs()) == known and time.monotonic() < deadline:
        time.sleep(0.1)  # until it has connected
    gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
    os.kill(gcs, signal.SIGSTOP)
    try:
        output, errors = process.communicate("\n", timeout=30)
    finally:
        os.kill(gcs, signal.SIGCONT)
    assert "the head of the cluster did not answer in 1 s" in output, errors
    assert process.returncode == 2
