"""`TF_CONFIG`: how the TensorFlow of each worker knows the addresses of all."""

import json
import os
import socket
from dataclasses import dataclass

import ray
from ray.train.backend import Backend, BackendConfig


@dataclass
class TfConfig(BackendConfig):
    """Sets `TF_CONFIG`, and unlike Ray's `TensorflowConfig` does not switch to legacy Keras.

    Nor does it import TensorFlow, which takes seconds, where Ray Train's controller runs.
    """

    @property
    def backend_cls(self) -> type[Backend]:
        """See `ray.train.backend.BackendConfig`."""
        return _TfConfigBackend


class _TfConfigBackend(Backend):
    def on_start(self, worker_group: object, backend_config: object) -> None:
        """Give every worker the addresses of all, in the order of their ranks.

        A port may be taken by another program before TensorFlow binds it. The worker then fails,
        and Ray Train starts the workers again, with other ports.
        """
        addresses = worker_group.execute(free_address)  # type: ignore[attr-defined]
        ray.get(
            [
                worker_group.execute_single_async(  # type: ignore[attr-defined]
                    rank, _set_tf_config, addresses, rank
                )
                for rank in range(len(addresses))
            ]
        )


def free_address() -> str:
    """`host:port` of this node, with a port that is free now."""
    host = ray.util.get_node_ip_address()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _set_tf_config(addresses: list[str], rank: int) -> None:
    # TensorFlow's gRPC would send what goes to the other workers to an `http_proxy`.
    hosts = {address.rpartition(":")[0].strip("[]") for address in addresses}
    os.environ["no_grpc_proxy"] = ",".join(sorted(hosts))  # noqa: SIM112
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    )
