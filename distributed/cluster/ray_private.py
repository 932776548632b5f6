"""All that is not Ray's public API, in two places: what breaks here, an upgrade of Ray has moved.

This one for clusters and jobs; `ray_train_private.py` for Ray Train.

Written for Ray 2.60. Each function says what it takes, and why the public API does not do. When an
upgrade breaks one: find what Ray calls it now (`git log -S NAME` in Ray's repository), or do
without as the docstring says. What is imported is imported inside, so that this file costs nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# --- what the nodes of a cluster have


def free_by_node() -> dict[str, dict[str, float]]:
    """Return what each node has free, by its id.

    `ray.available_resources()` says it for all nodes together, and a worker does not span nodes.
    Without it: count what all nodes have, and let Ray Train wait for what is not free.
    """
    from ray._private.state import state

    return state.available_resources_per_node()


def leaving_nodes() -> set[str]:
    """Return the ids of nodes that are alive, but are draining and take no more work.

    `ray.nodes()` lists them as alive. Without it: return none, and a run that counts on such a node
    waits for another.
    """
    from ray._private.state import state

    return set(state.get_draining_nodes())


def node_kinds() -> list[tuple[dict[str, float], int]]:
    """Return the resources and the largest number of each kind of node that may be added.

    There is no public way to ask. Without it: return none, and a run that needs more nodes than
    there are is refused instead of waiting for them.
    """
    from ray._private.state import state

    config = state.get_cluster_config()
    if config is None:
        return []
    return [(dict(kind.resources), kind.max_count) for kind in config.node_group_configs]


def gpu_memory_mb(visible: str) -> int:
    """Return the memory of a GPU in MiB.

    TensorFlow does not say before it has taken all of it. Ray carries NVIDIA's own binding;
    without it: the package `nvidia-ml-py`, which is the same.

    Args:
        visible: its number or UUID, as in `CUDA_VISIBLE_DEVICES`.
    """
    from ray._private.thirdparty import pynvml

    pynvml.nvmlInit()
    handle = (
        pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        if visible.isdigit()
        else pynvml.nvmlDeviceGetHandleByUUID(visible)
    )
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total) >> 20


# --- which cluster, of which processes, and what Ray prints


def last_cluster_address() -> str | None:
    """Return the `HOST:PORT` of the last cluster that was started on this machine, or None.

    Ray keeps it in a file, also when that cluster was lost without `ray stop`. Nothing public reads
    it. Without it: return None; Ray then tries to reach a lost cluster for minutes.
    """
    from ray._private.services import find_bootstrap_address

    address: str | None = find_bootstrap_address(None)
    return address


def unlike_a_cluster(address: str, seconds: float) -> str:
    """Say why what listens at an address is not the head of a cluster, or nothing.

    Ray's own client would ask it for minutes. The request is one of Ray's protocol, which no public
    function sends. Without it: return nothing, and wait for the minutes.

    Args:
        address: `HOST:PORT`.
        seconds: for the answer.
    """
    import grpc

    if os.environ.get("RAY_USE_TLS", "0") in ("1", "true"):
        return ""
    options = (("grpc.enable_http_proxy", 0),)  # nor does Ray use one
    with grpc.insecure_channel(address, options) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")(b"", timeout=seconds)
        except grpc.RpcError as error:
            return {
                grpc.StatusCode.DEADLINE_EXCEEDED: "no answer in time",
                grpc.StatusCode.UNAVAILABLE: "what answers speaks another protocol",
                grpc.StatusCode.UNIMPLEMENTED: "what answers is no head of a cluster",
            }.get(error.code(), "")  # another: it asks for a token, and is a head
    return ""


@contextmanager
def few_processes() -> Iterator[None]:
    """Have a cluster that `ray.init` starts be of the processes alone that a command needs.

    Left out are the dashboard's, the autoscaler's, which adds nothing to one machine, and the one
    that reads logs for the driver to print. `ray.init` can be told to do without the pages of the
    dashboard only. Without it: a dozen processes more, and 2 s. Joining a cluster is not affected.
    """
    from unittest.mock import patch

    from ray._private.node import Node
    from ray._private.parameter import RayParams

    def params(**options: Any) -> RayParams:
        return RayParams(**{**options, "no_monitor": True, "include_log_monitor": False})

    with (
        patch("ray._private.parameter.RayParams", params),
        patch.object(Node, "start_api_server", lambda *_, **__: None),
    ):
        yield


def is_started_here() -> bool:
    """Say whether this process has started the cluster, which then is one machine and ends with it.

    `ray.init` does not say whether it has joined one. Without it: return False; a run starts later,
    with what a cluster of many machines needs.
    """
    from ray._private import worker

    return bool(worker._global_node and worker._global_node.head)


def hush_lost_nodes() -> None:
    """Keep Ray from printing the log of a node that was lost.

    `log_to_driver=False` does not cover it. Without it: the log shows some lines of Ray's more.
    """
    import ray

    ray._private.worker.print_to_stdstream = lambda *_, **__: None


# --- Ray Jobs


def local_cluster() -> str:
    """Find the address of the one cluster that runs on this machine.

    The public client takes "auto", but says nothing of use when there is no cluster. Without it:
    ask the user for `--address`.

    Raises:
        OSError: there is none.
        ValueError: there is more than one.
    """
    from ray._private import services

    address: str = services.canonicalize_bootstrap_address_or_die("auto")
    return address


def package_limit() -> int:
    """Return the size in bytes from which on Ray refuses the working directory of a job.

    Ray refuses it only when all of it has been packed and sent. Without it: let Ray refuse.
    """
    from ray._private.runtime_env.packaging import GCS_STORAGE_MAX_SIZE

    return int(GCS_STORAGE_MAX_SIZE)


def package_files(root: Path, leave_out: Callable[[Path], bool]) -> dict[Path, int]:
    """List the files and folders of a working directory that Ray uploads, with sizes in bytes.

    What `.gitignore` and `.rayignore` name is left out by Ray's own reading of them, which no
    public function shares. Without it: count all files, and let `.gitignore` matter no more.

    Args:
        root: the folder, absolute.
        leave_out: says of a file or folder whether it is not to be uploaded either.
    """
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    sizes: dict[Path, int] = {}

    def add(path: Path) -> None:
        sizes[path] = path.stat().st_size if path.is_file() else 0

    excludes = [_get_excludes(root, get_runtime_env_default_excludes()), leave_out]
    _dir_travel(root, excludes, add, include_gitignore=True)
    return sizes


def job_client(limits: tuple[float, float]) -> Any:
    """Make a `JobSubmissionClient` whose every request ends; the public one waits for ever.

    Its one method that sends requests is not public. Without it: the public class, and a command
    that hangs with the cluster.

    Args:
        limits: seconds for the connection, and for the first answer. The client's attribute
            `limits` sets those of the requests to come.
    """
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        def __init__(self) -> None:
            self.limits = limits
            super().__init__()

        def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
            return super()._do_request(method, endpoint, timeout=self.limits, **options)

    return Client()
