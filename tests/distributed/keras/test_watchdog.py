"""A process without progress ends; one with progress, or that has stopped watching, does not."""

import subprocess
import sys
import time

import pytest
from paths import ROOT

pytestmark = pytest.mark.cluster  # it measures time

BEGIN = """
import time
import distributed.keras.watchdog
distributed.keras.watchdog._GRACE = 1.0
from distributed.keras.watchdog import Watchdog
watchdog = Watchdog(0.5, lambda text: print(text, flush=True))
"""


def run(code: str) -> tuple[subprocess.CompletedProcess, float]:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    return done, time.monotonic() - start


def test_without_progress_the_process_tells_dumps_its_stack_and_ends() -> None:
    done, seconds = run("def stuck():\n    time.sleep(50)\nstuck()")
    assert done.returncode == 1
    assert "no progress for 0.5 s (--stall-seconds): ending it" in done.stdout
    assert "in stuck" in done.stderr
    assert seconds < 20


def test_a_process_that_holds_the_interpreters_lock_is_ended_too() -> None:
    """Comparing long integers' digits never lets another Python thread run."""
    done, seconds = run("pow(3, 10 ** 9)")
    assert done.returncode == 1
    assert seconds < 30


def test_heartbeats_keep_it_alive() -> None:
    done, _ = run(
        "for _ in range(30):\n    time.sleep(0.1)\n    watchdog.heartbeat()\nprint('done')"
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_process_that_waits_for_another_that_makes_progress_is_left_alone() -> None:
    done, seconds = run(
        "watchdog._excused = lambda: time.monotonic() < until\n"
        "until = time.monotonic() + 3\n"
        "time.sleep(50)"
    )
    assert done.returncode == 1
    assert "no progress for 0.5 s" in done.stdout
    assert 3 < seconds < 20


def test_a_process_that_cannot_ask_or_tell_is_ended_all_the_same() -> None:
    done, seconds = run("watchdog._excused = watchdog._report = None\ntime.sleep(50)")
    assert done.returncode == 1
    assert seconds < 20


def test_once_stopped_it_ends_nothing() -> None:
    done, _ = run("watchdog.stop()\ntime.sleep(2.5)\nprint('done')")
    assert (done.returncode, done.stdout) == (0, "done\n")
