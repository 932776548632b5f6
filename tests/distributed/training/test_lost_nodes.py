"""A node that is lost costs time, and changes nothing of what comes out.

These tests wait for Ray to notice that a node is gone, so they take more than a minute each.
"""

from pathlib import Path

import pytest
from faults import SAMPLE, Running, weights
from ray.cluster_utils import Cluster

from distributed.sharding.shard import shard

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nodes") / "data"
    shard([str(SAMPLE / "df_train.json")], str(folder))
    return folder


@pytest.fixture
def cluster():
    """A head with 2 CPUs, each time anew: Ray counts nodes that were lost for some time."""
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
