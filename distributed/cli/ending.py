"""How a command ends: with a word, and an exit code that says what happened.

| code | what happened |
| --- | --- |
| 0 | all of it was done |
| 1 | the work failed through no mistake of the user's |
| 2 | a user's mistake, or what cannot be read or written |
| 130, 143 | Ctrl-C, or SIGTERM |
| 141 | nobody reads the output any more, as in `siamese … | head -1` |
"""

import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer

from siamese.errors import RunError, UserError, in_words

# The signals that have been caught. Ray makes a new exception of any that is raised in its calls.
_caught: list[int] = []


def prepare_process() -> None:
    """Make the standard streams ones that can be written, and a SIGTERM one that can be caught."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file to be opened would get what is printed
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        # What a terminal's encoding lacks is shown as \u600e.
        with contextlib.suppress(AttributeError):  # a stream that is none of Python's own
            getattr(sys, name).reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)


def ending_in_words(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command end as this file says, whatever it raises; a bug keeps its traceback."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        if code := _code_of(command, arguments, options):
            raise typer.Exit(code)

    return run


def _code_of(
    command: Callable[..., None], arguments: tuple[Any, ...], options: Mapping[str, Any]
) -> int:
    """Call a command, and say why it ended if it was not done; the exit code."""
    try:
        _check_folder()
        command(*arguments, **options)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as error:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # again: at once
        _say(str(error) or "stopped")
        return 128 + (_caught.pop() if _caught else signal.SIGINT)
    except BrokenPipeError:
        _write_nowhere()
        return 141
    except Exception as error:
        code, words = _told(error)
        if not code:
            raise
        _say(f"error: {words}")
        return code
    return 0


def _told(error: Exception) -> tuple[int, str]:
    """Put an error into words; the exit code, 0 for a bug, whose traceback is to be shown."""
    if _is_lost_cluster(error):
        return 1, f"the cluster was lost: {str(error).strip().splitlines()[0]} Try again."
    if isinstance(error, UserError | OSError):
        return 2, in_words(error)
    if isinstance(error, MemoryError):
        return 1, f"there is not enough memory ({error})"
    return (1, str(error)) if isinstance(error, RunError) else (0, "")


def _is_lost_cluster(error: Exception) -> bool:
    """Say whether it is Ray's own error, and not one that a task of Ray's had."""
    ray = sys.modules.get("ray")
    return (
        ray is not None
        and isinstance(error, ray.exceptions.RayError)
        and not isinstance(error, ray.exceptions.RayTaskError)
    )


def _check_folder() -> None:
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        raise UserError(
            "the folder that this was started in has been removed. cd to one that is there."
        ) from None


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _write_nowhere() -> None:
    """Let what is still buffered go nowhere: Python would fail to write it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)


def _terminate(number: int, _: object) -> None:
    """End as after Ctrl-C: whoever cleans up after that does so after a SIGTERM too."""
    signal.signal(number, signal.SIG_DFL)  # again: at once
    _caught.append(number)
    raise KeyboardInterrupt
