"""Train any Keras 3 model with a step of one's own: in this process, or on Ray."""

import inspect
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamese.errors import RunError, UserError
from siamese.training.execution import Execution, check_execution, parse_workers

if TYPE_CHECKING:
    from distributed.keras.process import Process
    from distributed.keras.result import Result
    from distributed.keras.run_folder import RunFolder
    from siamese.storage.run_folder import Existing

# Fields of `Execution` that may be given as options: what each of them is, and the least and the
# most that it may be.
_OPTIONS: dict[str, tuple[type, float, float]] = {
    "cpus_per_worker": (float, 0.1, math.inf),
    "gpu_memory_mb": (int, 1, math.inf),
    "gpus_per_worker": (float, 0, 1),
    "keep_checkpoints": (int, 1, math.inf),
    "max_failures": (int, 0, math.inf),
    "stall_seconds": (float, 1, math.inf),
    "verbose": (bool, 0, 1),
}


class KerasTrainer:
    """Runs a function that trains a model, in every worker, until all have ended.

    A worker that is lost is replaced, and all go on from the newest checkpoint.

    Args:
        train: is called as `train(context, **config)` in each worker; `context` is a
            `distributed.keras.Context`. It is pickled (with cloudpickle).
        run: a folder or URI for the run. On several nodes it must be on storage that they share,
            or a URI.
        config: arguments for `train`, as JSON; a run that is resumed must keep them. Give what is
            no JSON with `functools.partial`.
        read: paths and URIs that `train` reads: it is checked that every node can.
        workers: how many, or at least and at most: 2, "2:4" or (2, 4); 0: this process, without
            Ray.
        existing: what to do with a run that is there: `refuse` it, `resume` it from its newest
            checkpoint, or start `fresh` in its place.
        **options: of how the run is carried out: `gpus_per_worker` (0 to 1), `cpus_per_worker`
            (also a worker's threads), `gpu_memory_mb` (the cap on a worker's GPU memory in MiB),
            `keep_checkpoints` (2), `stall_seconds` without progress, after which a worker is ended
            (300), `max_failures`, how often lost workers are replaced (8), and `verbose`.

    Raises:
        UserError: an argument or an option is not one that can be used.

    Example:
        >>> result = KerasTrainer(train, "run", workers=2).fit()  # doctest: +SKIP
    """

    def __init__(
        self,
        train: "Callable[..., Any]",
        run: str | Path,
        config: Mapping[str, Any] | None = None,
        *,
        read: Sequence[str | Path] = (),
        workers: int | str | tuple[int, int] = 1,
        existing: "Existing" = "refuse",
        **options: Any,
    ) -> None:
        for name, value in options.items():
            _check_option(name, value)
        if existing not in ("refuse", "resume", "fresh"):
            raise UserError(f'existing="{existing}": give "refuse", "resume" or "fresh".')
        self._config = _checked_config(train, config or {})
        self._train = train
        self._run = str(run)
        self._read = [str(path) for path in read]
        self._existing = existing
        with _in_python():
            execution = Execution(workers=parse_workers(workers), trackers=())
            self._execution = replace(execution, **options)
            check_execution(self._execution)

    def fit(self) -> "Result":
        """Train.

        Everything is checked before the run folder is touched: that the workers fit the cluster,
        and that all nodes can write the run folder, read what is to be read and have the same
        versions. A cluster is the one that `RAY_ADDRESS` names, or that runs on this machine; or
        one is started here for this process.

        Returns:
            What has come of it.

        Raises:
            UserError: the run folder or the cluster cannot be used, or `train` raised it.
            RunError: the workers failed more often than they may.
            Exception: whatever else `train` raises, with its traceback; workers are not started
                again, unless it is an error of the system's (`OSError`, `MemoryError`).
        """
        from distributed.keras.result import Result
        from distributed.keras.run_folder import RunFolder
        from siamese.storage.ownership import owning

        resumes = self._existing == "resume"
        with _in_python(), owning(self._run, resumes=resumes):
            folder = RunFolder.open(self._run)
            folder.check(self._existing)
            if resumes:
                folder.check_same(self._config)
            carry_out = self._carrier()
            if not resumes:
                folder.start(self._config, fresh=self._existing == "fresh")
            carry_out(folder)
            return Result.of(self._run)

    def _carrier(self) -> "Callable[[RunFolder], None]":
        """Check all that can be checked of where the run happens; return what carries it out."""
        execution = self._execution
        if not execution.workers[1]:
            memory_mb = _cap_memory(execution)
            return partial(_train_here, self._train, self._config, execution, memory_mb)
        from distributed.cluster.connect import connect
        from distributed.cluster.preflight import Request, preflight
        from distributed.keras.launch import launch, shared
        from siamese.storage.filesystem import absolute

        connect(execution.verbose)
        for note in preflight(Request(execution), read=self._read, run=self._run):
            _say(note)
        train = shared(partial(run_train, self._train, self._config, absolute(self._run)))
        return lambda folder: launch(train, execution, _print_report, _say)


def _train_here(
    train: "Callable[..., Any]",
    config: Mapping[str, Any],
    execution: Execution,
    memory_mb: int | None,
    folder: "RunFolder",
) -> None:
    """Train in this process."""
    from distributed.keras.process import ThisProcess

    _call(train, config, ThisProcess(execution, memory_mb, _print_report, _say), folder)


def run_train(
    train: "Callable[..., Any]", config: Mapping[str, Any], run: str, process: "Process"
) -> None:
    """Open the run folder in a worker, and call the user's function.

    Args:
        train: the function.
        config: its arguments.
        run: the path or URI of the run.
        process: this worker.
    """
    from distributed.keras.run_folder import RunFolder

    _call(train, config, process, RunFolder.open(run, process.copied))


def _call(
    train: "Callable[..., Any]", config: Mapping[str, Any], process: "Process", folder: "RunFolder"
) -> None:
    from distributed.keras.context import Context

    context: Context = Context(process, folder)
    context.heartbeat()
    train(context, **config)
    if process.rank == 0:
        folder.publish()  # what was reported after the last checkpoint


def _check_option(name: str, value: Any) -> None:
    """Refuse an option that there is not, or a value that it cannot have."""
    if name not in _OPTIONS:
        raise UserError(f"no option {name}. There are: {', '.join(_OPTIONS)}.")
    kind, least, most = _OPTIONS[name]
    if name == "gpu_memory_mb" and value is None:
        return
    is_kind = isinstance(value, (int, float) if kind is float else kind)
    if not is_kind or isinstance(value, bool) != (kind is bool) or not least <= value <= most:
        number = {float: "a number", int: "a whole number", bool: "True or False"}[kind]
        limits = f" from {least:g} to {most:g}" if most < math.inf else f" of {least:g} or more"
        raise UserError(f"{name}={value!r}: give {number}{'' if kind is bool else limits}.")


def _checked_config(train: "Callable[..., Any]", config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as they come back from JSON, if they suit the function."""
    try:
        inspect.signature(train).bind(None, **config)
    except TypeError as error:
        raise UserError(f"train(context, **config) cannot be called: {error}.") from None
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(config), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"config cannot be written as JSON ({error}). Give settings there, and data with "
            "functools.partial(train, data=…)."
        ) from None
    return plain


def _cap_memory(execution: Execution) -> int | None:
    """Cap the GPU memory of this process; None without a GPU or a cap."""
    from siamese.training.gpu_memory import cap_memory, memory_note

    try:
        memory_mb = cap_memory(execution.gpu_memory_mb)
    except RuntimeError as error:
        raise UserError(
            f"gpu_memory_mb: too late to cap this process's GPU memory ({error}). Call fit before "
            "anything uses TensorFlow, or train with workers=1."
        ) from None
    if note := memory_note(execution.gpu_memory_mb, memory_mb):
        _say(note)
    return memory_mb


def _print_report(figures: Mapping[str, Any]) -> None:
    """Print figures in one line."""
    words = (
        f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
    )
    print("  ".join(words), flush=True)


def _say(text: str) -> None:
    print(_as_arguments(text), flush=True)


@contextmanager
def _in_python() -> Iterator[None]:
    """Name arguments of `KerasTrainer` in errors, in the place of a command's options."""
    try:
        yield
    except (UserError, RunError) as error:
        words = _as_arguments(str(error))
        if words == str(error):
            raise
        raise type(error)(words) from error.__cause__


def _as_arguments(text: str) -> str:
    """Write the options of a command in a text as arguments of a call."""
    for option, argument in (("resume", "resume"), ("fresh", "fresh")):
        text = re.sub(rf"--{option}\b", f'existing="{argument}"', text)
    # With a value that follows it, or without.
    text = re.sub(r"--([a-z]+(?:-[a-z]+)*) (\d[\d.]*)(?=\W|$)", _with_value, text)
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda m: m[1].replace("-", "_"), text)


def _with_value(match: re.Match[str]) -> str:
    name, value = match[1].replace("-", "_"), match[2]
    end = "." if value.endswith(".") else ""  # of the sentence
    return f"{name}={value.removesuffix('.')}{end}"
