"""How Ray Train starts TensorFlow's workers, and tells them of each other."""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.train.v2.tensorflow.tensorflow_trainer import TensorflowTrainer


class KerasTrainer(TensorflowTrainer):
    """Ray's `TensorflowTrainer`, without the import of TensorFlow in the process that starts it.

    Of its own it has only a constructor, which imports TensorFlow for a default; with a
    `KerasConfig` there is no need of one, nor of the seconds that it takes.
    """

    def __init__(self, train_loop_per_worker: Callable[..., None], **options: Any) -> None:
        DataParallelTrainer.__init__(
            self, train_loop_per_worker, backend_config=KerasConfig(), **options
        )


@dataclass
class KerasConfig(BackendConfig):
    """Sets `TF_CONFIG`, and unlike Ray's `TensorflowConfig` does not switch to legacy Keras.

    Nor does it import TensorFlow, which takes seconds, where Ray Train's controller runs.
    """

    @property
    def backend_cls(self) -> type[Backend]:
        """What sets it up."""
        return _KerasBackend


class _KerasBackend(Backend):
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
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    )
