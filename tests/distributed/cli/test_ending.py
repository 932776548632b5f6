"""How commands end: the exit code, and a word, whatever happens to their streams and signals."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
import typer
from paths import ROOT, SAMPLE

from distributed.cli.ending import ending_in_words
from siamese.data.shards import read_shards
from siamese.errors import RunError, UserError

DEV = str(SAMPLE / "df_dev.txt")
SHARD = ("shard", str(SAMPLE / "df_train.json"), "--output")


class RayTaskError(OSError):
    """As Ray raises it: the words are a traceback, and the cause is an attribute."""

    def __str__(self) -> str:
        return "Traceback …"

    cause = PermissionError(errno.EACCES, "Permission denied", "/data/怎.json")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("a: b. Do c."), 2, "error: a: b. Do c."),
        (RunError("lost"), 1, "error: lost"),
        (FileNotFoundError(2, "No such file", "x"), 2, "error: x: No such file"),
        (OSError("of a library"), 2, "error: of a library"),
        (OSError(errno.ENOSPC, "", "x"), 2, "error: x: No space left on device. Free space"),
        (OSError("can't write (errno = 28)"), 2, "error: No space left on device. Free space"),
        (shutil.Error([("a", "b", "[Errno 28] …")]), 2, "error: No space left on device. Free"),
        (OSError(errno.EMFILE, ""), 2, "error: Too many open files. Raise"),
        (OSError(errno.EROFS, "", "x"), 2, "error: x: Read-only file system. Choose a folder"),
        (RayTaskError(), 2, "error: /data/怎.json: Permission denied"),
        (MemoryError("8 GiB"), 1, "error: there is not enough memory (8 GiB)"),
        (KeyboardInterrupt(), 130, "stopped"),
        (KeyboardInterrupt("stopped; --resume continues it"), 130, "stopped; --resume"),
        (ray.exceptions.RaySystemError("gone"), 1, "error: the cluster was lost: "),
        (ray.exceptions.GetTimeoutError("no answer."), 1, "error: the cluster was lost: no answ"),
        (typer.Exit(7), 7, ""),
    ],
)
def test_each_end_has_its_code_and_its_words(capsys, error, code, words) -> None:
    def command() -> None:
        raise error

    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(typer.Exit) as end:
            ending_in_words(command)()
    finally:
        signal.signal(signal.SIGINT, before)
    err = capsys.readouterr().err
    assert (end.value.exit_code, err.count("\n")) == (code, bool(words))
    assert err.startswith(words)


def test_a_bug_keeps_its_traceback() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ending_in_words(command)()


def siamese(
    *arguments: str, shell: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Run the command line in a process, with redirections as in a shell."""
    script = f'"$0" -m distributed "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", script, sys.executable, *arguments],
        cwd=ROOT,
        env=env or {**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("shell", "code", "words"),
    [
        ("<&- >&- 2>&-", 0, ""),
        ("| true; exit ${PIPESTATUS[0]}", 141, ""),
        ("> /dev/full", 2, "error: No space left on device. Free space"),
    ],
)
def test_streams_that_are_closed_or_full(tmp_path, shell, code, words) -> None:
    """Nothing is printed into the file that happens to get a closed stream's number."""
    done = siamese(*SHARD, str(tmp_path / "data"), shell=shell)
    assert (done.returncode, done.stderr[: len(words) or None]) == (code, words)
    read_shards(str(tmp_path / "data"))  # checks all of it
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_what_a_terminal_cannot_show_is_escaped(tmp_path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = siamese(*SHARD, str(tmp_path / "怎么"), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\\u600e\\u4e48\n")
    done = siamese("shard", str(tmp_path / "如何.json"), "--output", "v", env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "\\u5982\\u4f55.json" in done.stderr


def test_in_a_folder_that_has_been_removed(tmp_path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; exec "$0" -m distributed "$@"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, *SHARD, str(tmp_path / "data")],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the folder that this was started in has been removed")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_word_and_nothing_half_written(tmp_path, number, code) -> None:
    command = ("vectors", DEV, "--dim", "4", "--epochs", "1000000", "--output")
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed", *command, str(tmp_path / "v.txt")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: "gensim" in Path(f"/proc/{process.pid}/maps").read_text())
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, "stopped\n")
    assert list(tmp_path.iterdir()) == []


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
