"""Before a run starts: can the cluster do what is asked? One message says everything."""

import atexit
import os
import sys
import time
from dataclasses import dataclass

from distributed.cluster import capacity, node_checks
from distributed.cluster.capacity import Group, Node, Resources, resources_of
from siamese.errors import UserError
from siamese.storage.filesystem import local_path
from siamese.training.execution import Execution

LIMIT = 9.5  # seconds for all of it, whatever hangs
_NODES_LIMIT = 8.0  # for the nodes and the storage to answer
_FREE_LIMIT = 3.0  # for work that is just ending to give back what it holds
_NAMED = 8  # nodes listed one by one; a large cluster would fill the screen


@dataclass(frozen=True)
class Request:
    """Holds what a run asks of the cluster.

    Attributes:
        execution: the workers, at least one, and what each of them needs.
        options: of the command line, which set the numbers of workers, CPUs and GPUs.
    """

    execution: Execution
    options: tuple[str, str, str] = ("--workers", "--cpus-per-worker", "--gpus-per-worker")

    @property
    def least(self) -> int:
        """Return how many workers the run needs; fewer than `most` only in an elastic run."""
        return self.execution.workers[0]

    @property
    def most(self) -> int:
        """Return how many workers the run takes if it can."""
        return self.execution.workers[1]

    @property
    def resources(self) -> Resources:
        """Return what each worker needs, in Ray's terms."""
        return resources_of(self.execution)

    def __str__(self) -> str:
        if self.least == self.most:
            workers = _count(self.least, "worker")
        else:
            workers = f"{self.least} to {_count(self.most, 'worker')}"
        return f"{workers} of {_amounts(self.resources)} each"


def preflight(request: Request, *, read: list[str], run: str | None) -> list[str]:
    """Check that the cluster can run what is asked, in less than 10 s, whatever hangs.

    Ray must be connected. A worker does not span nodes, so what counts is what each node has.
    With several nodes, local paths must be on storage that they share.

    Args:
        request: the workers and what each of them needs.
        read: paths and URIs that every node must be able to read.
        run: the run folder, a path or URI, which every node must be able to write; None: nodes
            write nothing.

    Returns:
        Notes for the log.

    Raises:
        UserError: something is missing; the message holds everything that is.
    """
    # In a thread: Ray's own calls wait for a head that hangs without an end.
    checks = node_checks.Background(_check, request, read, run, time.monotonic())
    try:
        notes: list[str] = checks.result(time.monotonic() + LIMIT)
    except TimeoutError:
        atexit.register(_leave)
        raise UserError(
            f"the head of the cluster did not answer in {LIMIT:g} s. Look at `ray status`, and "
            "restart Ray on the head if that hangs too."
        ) from None
    return notes


def _check(request: Request, read: list[str], run: str | None, start: float) -> list[str]:
    nodes = capacity.alive_nodes()
    until = start + _NODES_LIMIT
    # Storage and nodes answer while this waits for resources.
    folder = None if run is None else local_path(run)
    paths = [path for path in map(local_path, read) if path is not None]
    uris = [path for path in read if local_path(path) is None]
    remote = node_checks.Background(
        node_checks.check_uris, uris, run if folder is None else None, until
    )
    local = node_checks.Background(node_checks.check_nodes, nodes, paths, folder, until)
    groups = capacity.addable(nodes)
    need = request.resources
    while (
        capacity.fit_free(nodes, need) < request.least <= capacity.fit_total(nodes, need)
        and time.monotonic() < start + _FREE_LIMIT
    ):
        time.sleep(0.2)
        nodes = capacity.alive_nodes()
    lines = _misfit(request, nodes, groups)
    try:
        found = remote.result(until + 0.5) + local.result(until + 0.5)
    except TimeoutError:
        names = ", ".join(str(path) for path in (*paths, folder) if path is not None)
        found = [f"the storage of {names} hangs. Look at it with `ls`, where this was started."]
    lines += [("problem", text) for text in found]
    if lines:
        lines = [("asked", str(request)), ("there", _there(nodes)), *lines]
        body = "\n".join(f"  {label:<8} {text}" for label, text in lines)
        raise UserError(f"the cluster cannot run this:\n{body}")
    return _notes(request, nodes, groups)


def _leave() -> None:
    """End the process: Ray's own farewell would wait for a head that hangs without an end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)  # as the command line does after any UserError


def _misfit(request: Request, nodes: list[Node], groups: list[Group]) -> list[tuple[str, str]]:
    """Say why the workers do not fit, and what would; nothing when they do or will."""
    need = request.resources
    now = capacity.fit_free(nodes, need)
    later = capacity.fit_total(nodes, need)
    more = capacity.fit_groups(groups, need)
    if now + more >= request.least:
        return []
    kinds = [node.total for node in nodes] + [group.resources for group in groups]
    if "GPU" in need and not any(kind.get("GPU") for kind in kinds):
        fit = "nothing: no node has a GPU, or Ray was not told (`ray start --num-gpus`)"
    elif later + more < request.least:
        fit = f"{_count(later + more, 'worker')} at most: a worker does not span nodes"
    else:
        fit = f"{_count(now, 'worker')} now, {later} when other work ends (`ray status` shows it)"
    if more:
        fit += f"; {more} of them on nodes that the autoscaler may add"
    return [("fits", fit), ("change", ", or ".join(_changes(request, nodes, groups)))]


def _changes(request: Request, nodes: list[Node], groups: list[Group]) -> list[str]:
    """Each change that would make the workers fit what is free now."""

    def fit(cpus: float, gpus: float) -> int:
        need = resources_of(Execution(cpus_per_worker=cpus, gpus_per_worker=gpus))
        return capacity.fit_free(nodes, need) + capacity.fit_groups(groups, need)

    cpus, gpus = request.execution.cpus_per_worker, request.execution.gpus_per_worker
    changes = []
    if workers := fit(cpus, gpus):
        elastic = f":{request.most}" if request.most > request.least else ""
        changes.append(f"{request.options[0]} {workers}{elastic}")
    fewer = (c for c in range(int(cpus), 0, -1) if c < cpus and fit(c, gpus) >= request.least)
    if cpus_that_fit := next(fewer, None):
        changes.append(f"{request.options[1]} {cpus_that_fit}")
    shares = (g for g in (0.5, 0.25, 0) if g < gpus and fit(cpus, g) >= request.least)
    share = next(shares, None)
    if share is not None:
        changes.append(f"{request.options[2]} {share:g}")
    if capacity.fit_total(nodes, request.resources) >= request.least:
        changes.append("wait for the other work to end")
    else:
        changes.append(f"add nodes with at least {_amounts(request.resources)}")
    return changes


def _there(nodes: list[Node]) -> str:
    """List the nodes, each with what it has and what of that is free."""
    each = [
        f"{node.name} "
        + ", ".join(
            f"{_count(node.total.get(kind, 0), kind)} ({node.free.get(kind, 0):g} free)"
            for kind in ("CPU", "GPU")
            if kind == "CPU" or node.total.get(kind)
        )
        for node in nodes[:_NAMED]
    ]
    if len(nodes) > _NAMED:
        each.append(f"and {len(nodes) - _NAMED} more")
    return f"{_count(len(nodes), 'node')}: {'; '.join(each)}"


def _notes(request: Request, nodes: list[Node], groups: list[Group]) -> list[str]:
    """Note what is good to know of a run that can start."""
    now = capacity.fit_free(nodes, request.resources)
    started = min(now, request.most)
    free = sum(node.free.get("CPU", 0) for node in nodes)
    left = free - started * request.execution.cpus_per_worker
    notes = [f"{_count(len(nodes), 'node')}, {_count(left, 'CPU')} left for data"]
    if left < 1:
        notes[0] += " (training needs none, its workers read their own)"
    if now < request.most:
        notes.append(f"{now} of {_count(request.most, 'worker')} fit now")
        if groups:
            count = sum(group.count for group in groups)
            notes[-1] += f"; the autoscaler may add {_count(count, 'node')}"
    gpus = sum(node.total.get("GPU", 0) for node in nodes)
    if not request.execution.gpus_per_worker:
        unused = f"{_count(gpus, 'GPU')} left unused, see {request.options[2]}"
        notes.append(f"training on CPU: {unused if gpus else 'no GPU in this cluster'}")
    return notes


def _amounts(resources: Resources) -> str:
    return " and ".join(_count(amount, kind) for kind, amount in resources.items())


def _count(number: float, noun: str) -> str:
    return f"{number:,g} {noun}{'' if number == 1 else 's'}"
