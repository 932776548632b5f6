"""How many workers fit the nodes of a cluster: what is free, what is there, what may be added."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml

from distributed.cluster import ray_private
from siamese.training.execution import Execution

Resources = dict[str, float]
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")  # where `ray up` leaves its configuration
_TINY = 1e-6  # three workers of 0.1 fit 0.3


@dataclass(frozen=True)
class Node:
    """One node that is alive."""

    id: str
    name: str
    is_head: bool
    total: Resources
    free: Resources


@dataclass(frozen=True)
class Group:
    """Nodes of one kind that the autoscaler may still add."""

    resources: Resources
    count: int


def resources_of(execution: Execution) -> Resources:
    """Return what each worker needs, in Ray's terms."""
    need = {"CPU": float(execution.cpus_per_worker)}
    if execution.gpus_per_worker > 0:
        need["GPU"] = float(execution.gpus_per_worker)
    return need


def alive_nodes() -> list[Node]:
    """List the nodes that are alive and stay, the head first, each with a name of its own."""
    leaving = ray_private.leaving_nodes()
    alive = [n for n in ray.nodes() if n["Alive"] and n["NodeID"] not in leaving]
    alive.sort(key=lambda node: ("node:__internal_head__" not in node["Resources"], node["NodeID"]))
    free = ray_private.free_by_node()
    addresses = Counter(node["NodeManagerAddress"] for node in alive)
    nodes = []
    for node in alive:
        is_head = "node:__internal_head__" in node["Resources"]
        name = node["NodeManagerAddress"]
        if addresses[name] > 1:  # several nodes on one machine
            name = f"{name}/{node['NodeID'][:6]}"
        nodes.append(
            Node(
                id=node["NodeID"],
                name="head" if is_head else name,
                is_head=is_head,
                total=node["Resources"],
                free=free.get(node["NodeID"], {}),
            )
        )
    return nodes


def fits(have: Resources, need: Resources) -> int:
    """Count the workers that fit one node, when each needs `need` and the node has `have`."""
    counts = []
    for name, amount in need.items():
        there = have.get(name, 0.0)
        if amount <= 0:
            continue
        if name == "GPU" and amount < 1:  # a worker's share lies on one GPU: 0.6 fits two once each
            whole = int(there + _TINY)
            shares = whole * int(1 / amount + _TINY) + int((there - whole) / amount + _TINY)
            counts.append(shares)
        else:
            counts.append(int(there / amount + _TINY))
    return min(counts, default=sys.maxsize)


def fit_free(nodes: list[Node], need: Resources) -> int:
    """Count the workers that fit what is free now."""
    return sum(fits(node.free, need) for node in nodes)


def fit_total(nodes: list[Node], need: Resources) -> int:
    """Count the workers that would fit if nothing else ran."""
    return sum(fits(node.total, need) for node in nodes)


def fit_groups(groups: list[Group], need: Resources) -> int:
    """Count the workers that would fit the nodes that may be added."""
    return sum(group.count * fits(group.resources, need) for group in groups)


def addable(nodes: list[Node]) -> list[Group]:
    """List what the autoscaler may still add: nothing without one, or when it does not say.

    Ray 2.60's own autoscaler reports no limits to the cluster (ray#63012), so they are read from
    the file that `ray up` leaves on the head, where the driver of a job runs.
    """
    if kinds := ray_private.node_kinds():
        return _not_yet_there(kinds, nodes, sys.maxsize)
    here = ray.get_runtime_context().get_node_id()
    bootstrap = BOOTSTRAP.expanduser()
    if not bootstrap.is_file() or not any(node.is_head and node.id == here for node in nodes):
        return []
    cluster: dict[str, Any] = yaml.safe_load(bootstrap.read_text(encoding="utf-8"))
    most = cluster.get("max_workers", sys.maxsize)
    kinds = [
        (kind.get("resources", {}), kind.get("max_workers", most))
        for name, kind in cluster.get("available_node_types", {}).items()
        if name != cluster.get("head_node_type")
    ]
    return _not_yet_there(kinds, nodes, most - sum(not node.is_head for node in nodes))


def _not_yet_there(kinds: list[tuple[Resources, int]], nodes: list[Node], most: int) -> list[Group]:
    """Leave out the nodes that run already; these do not say their kind, but look like it."""
    groups = []
    running = Counter(_shape(node.total) for node in nodes)
    for resources, count in kinds:
        left = most if count < 0 else min(most, count - running[_shape(resources)])  # -1: no limit
        if left > 0:
            groups.append(Group(resources, left))
    return groups


def _shape(resources: Resources) -> tuple[float, float]:
    return (resources.get("CPU", 0.0), resources.get("GPU", 0.0))
