"""What every node can read and write, and whether it has the same software, in bounded time."""

import importlib.metadata
import importlib.util
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from distributed.cluster.capacity import Node
from siamese.errors import UserError
from siamese.storage.filesystem import filesystem_of
from siamese.storage.output import check_writable

PACKAGES = {"siamese-ray": "siamese", "tensorflow": "tensorflow", "keras": "keras"}
_GONE = (
    ray.exceptions.GetTimeoutError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.TaskUnschedulableError,
)


class Background:
    """Calls a function in a thread, and waits no longer than agreed: hung storage never returns."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        # A daemon, so that one that hangs does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._value = function(*args)
        except BaseException as error:  # raised again where the result is asked for
            self._error = error

    def result(self, until: float) -> Any:
        """Return what the call returned, or raise what it raised.

        Raises:
            TimeoutError: it has not ended when `time.monotonic()` reaches `until`.
        """
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value


def check_uris(read: list[str], run: str | None, until: float) -> list[str]:
    """Say which URIs a worker on this node cannot read, or cannot write.

    Workers do the reading and writing of a run, with the credentials that they have. And one can
    be killed: pyarrow keeps a process from ending for minutes while a bucket does not answer.

    Args:
        read: URIs to read.
        run: a URI to write below; None when the run folder is local.
        until: what `time.monotonic()` may reach.
    """
    here = ray.get_runtime_context().get_node_id()
    answers = {f"reading {uri}": _pinned(check_read_uri, here).remote(uri) for uri in read}
    if run is not None:
        answers[f"writing {run}"] = _pinned(check_run_uri, here).remote(run)
    problems = []
    for what, answer in answers.items():
        try:
            problems += ray.get(answer, timeout=max(0.0, until - time.monotonic()))
        except ray.exceptions.GetTimeoutError:
            ray.cancel(answer, force=True)
            problems.append(f"{what}: no answer in time. Check the address and the network.")
        except ray.exceptions.RayError as error:
            problems.append(f"{what}: {_last_line(error)}")
    return problems


def check_read_uri(uri: str) -> list[str]:
    """Say what keeps a process from reading a URI; an empty list when it can."""
    try:
        filesystem, path = filesystem_of(uri)
        if not filesystem.exists(path):
            return [f"{uri}: no such file or folder. Check the name."]
    except UserError as error:
        return [f"{error}. Check the scheme, or install the package that it needs."]
    except OSError as error:
        return [f"{uri}: cannot be read ({error}). Check the name and the access to it."]
    return []


def check_run_uri(uri: str) -> list[str]:
    """Say what keeps a process from writing below a URI; an empty list when it can."""
    try:
        check_writable(uri)
    except UserError as error:
        return [str(error)]
    return []


def check_nodes(nodes: list[Node], read: list[Path], run: Path | None, until: float) -> list[str]:
    """Say which local paths a node cannot read or write, and where the software differs.

    A marker file is written in the run folder, or in its nearest parent that is there. Each node
    looks for it and writes a file beside it, which must be seen here. All are removed again.

    Args:
        nodes: the nodes; this process is on one of them and looks there itself.
        read: paths that every node must read.
        run: the folder that every node must write; None when it is not local.
        until: what `time.monotonic()` may reach.
    """
    problems: list[str] = []
    marker = None if run is None else _leave_marker(run, problems)
    try:
        return problems + _compare(nodes, [str(path) for path in read], marker, until)
    finally:
        if marker is not None:
            for file in [marker, *(_answer(str(marker), node.id) for node in nodes)]:
                with suppress(OSError):  # removed as far as the storage lets it
                    file.unlink(missing_ok=True)


def _leave_marker(run: Path, problems: list[str]) -> Path | None:
    """Write the marker for a run folder; None, and a problem more, when that cannot be."""
    folder = run
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            problems.append(f"{run}: {folder} is a file, not a folder. Choose another run folder.")
            return None
        marker = folder / _marker_name()
        marker.touch()
    except OSError as error:
        reason = error.strerror or error
        problems.append(f"{run}: {folder} cannot be written ({reason}). Choose another run folder.")
        return None
    return marker


def look(node_id: str, read: list[str], marker: str | None) -> dict[str, Any]:
    """Report what the node that runs this sees; write a file beside the marker for the driver."""
    shared, error = True, ""
    if marker is not None:
        try:
            shared = Path(marker).is_file()
            if shared:
                _answer(marker, node_id).touch()
        except OSError as failure:
            error = failure.strerror or str(failure)
    versions = {"Python": platform.python_version()}
    missing = []
    for package, module in PACKAGES.items():
        if importlib.util.find_spec(module) is None:  # finds without importing
            missing.append(module)
        # One that comes with the job's working directory has no version, and is the same anywhere.
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "unread": [path for path in read if not os.access(path, os.R_OK)],
        "shared": shared,
        "error": error,
        "missing": missing,
        "versions": versions,
    }


# A node without this package can then still say that it has none.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def _compare(nodes: list[Node], read: list[str], marker: Path | None, until: float) -> list[str]:
    """Look here and on every other node, and say what is missing or differs."""
    mark = None if marker is None else str(marker)
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in nodes if node.id != here]
    answers = [_pinned(look, node.id).remote(node.id, read, mark) for node in others]
    mine = look(here, read, mark)
    problems = [
        f"{path}: no such file or folder, or it may not be read. Check the path."
        for path in mine["unread"]
    ]
    if answers:
        left = max(0.0, until - time.monotonic())
        ray.wait(answers, num_returns=len(answers), timeout=left)
    for node, answer in zip(others, answers, strict=True):
        try:
            seen = ray.get(answer, timeout=0)
        except _GONE:
            ray.cancel(answer)
            problems.append(
                f"{node.name}: no answer in time; it hangs, has just ended or is still preparing "
                "the job's environment. Look at `ray status`, then try again."
            )
            continue
        except ray.exceptions.RayError as error:
            problems.append(f"{node.name}: cannot run a task: {_last_line(error)}")
            continue
        problems += _differences(node, mine, seen)
        if marker is not None:
            problems += _unshared(node, marker, seen)
    return problems


def _unshared(node: Node, marker: Path, seen: dict[str, Any]) -> list[str]:
    """Say why the folder of the marker is of no use on a node."""
    folder = marker.parent
    if seen["error"]:
        return [f"{folder}: cannot be written on {node.name}: {seen['error']}."]
    if not seen["shared"] or not _answer(str(marker), node.id).exists():
        return [
            f"{folder}: not the same folder on {node.name}. With several nodes the run folder "
            "must be on storage that they share (NFS), or a URI such as s3://bucket/run."
        ]
    return []


def _differences(node: Node, mine: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    """Say what a node lacks that is here, and which versions are not those here."""
    problems = [
        f"{path}: here, but not on {node.name}. Copy it there, or use storage that all share."
        for path in seen["unread"]
        if path not in mine["unread"]
    ]
    if seen["missing"]:
        problems.append(
            f"{node.name}: {' and '.join(seen['missing'])} not installed. Install there what is "
            "installed here."
        )
    for package, version in mine["versions"].items():
        other = seen["versions"].get(package, version)
        if other != version:
            problems.append(
                f"{node.name}: {package} {other}, but {version} here. Install the same version."
            )
    return problems


def _pinned(function: Callable[..., Any], node_id: str) -> Any:
    """Make a Ray task of the function that runs on one node, whatever else runs there."""
    strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task: Any = ray.remote(num_cpus=0, max_retries=0)(function)
    return task.options(scheduling_strategy=strategy)


def _last_line(error: Exception) -> str:
    """Take what went wrong, without the traceback before it."""
    return str(error).strip().splitlines()[-1]


def _answer(marker: str, node_id: str) -> Path:
    return Path(f"{marker}.{node_id}")


def _marker_name() -> str:
    return f".preflight-{uuid.uuid4().hex}"
