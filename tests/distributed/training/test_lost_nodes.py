"""A node that is lost costs time, and changes nothing of what comes out.

These tests wait for Ray to notice that a node is gone and start the workers twice, so they take
half a minute each.
"""

import pytest
from faults import Running, weights
from ray.cluster_utils import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster(monkeypatch):
    """A head with 2 CPUs, each time anew: Ray counts nodes that were lost for some time."""
    # Ray gives up a node that was silent five times, 3 s apart, and Ray Train waits 20 s for
    # workers on a node that is gone.
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "5")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    yield cluster
    cluster.shutdown()


def test_a_lost_node_is_replaced_by_another_and_the_weights_are_the_same(
    data, cluster, tmp_path
) -> None:
    """Two workers of two CPUs, one on the head and one on the node that is lost."""
    lost = cluster.add_node(num_cpus=2)
    options = ("--workers", "2", "--cpus-per-worker", "2")
    run = Running(data, tmp_path / "run", *options, address=cluster.address)
    run.wait_for_step(70)
    cluster.add_node(num_cpus=2)
    cluster.remove_node(lost, allow_graceful=False)
    assert run.wait() == 0, run.output
    assert "(attempt 2)" in run.output
    whole = Running(data, tmp_path / "whole", *options, address=cluster.address)
    assert whole.wait() == 0, whole.output
    assert weights(run.run) == weights(whole.run)


def test_an_elastic_run_goes_on_with_fewer_workers_when_a_node_is_gone_for_good(
    data, cluster, tmp_path
) -> None:
    lost = cluster.add_node(num_cpus=2)
    options = ("--workers", "1:2", "--cpus-per-worker", "2")
    run = Running(data, tmp_path / "run", *options, address=cluster.address)
    run.wait_for_step(70)
    cluster.remove_node(lost, allow_graceful=False)
    assert run.wait() == 0, run.output
    sizes = [line["workers"] for line in run.log() if line["event"] == "start"]
    assert sizes == [2, 1]
    assert run.last_step() == 2 * 164
