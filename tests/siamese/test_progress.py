"""Progress: lines in a log, a bar on a terminal, nothing when not wanted."""

import os
import pty
import select
import sys

from siamese import progress as module
from siamese.progress import progress


def test_a_log_gets_a_line_every_so_often(monkeypatch, capsys) -> None:
    clock = iter([0.0, 1.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    with progress("epoch 1/2", 4000, "groups") as advance:
        for _ in range(4):
            advance(1000, "loss 0.500")
    # A line is due after 15 s: at 20 s with 2,000 done, and at 40 s with 4,000.
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2: 2,000 of 4,000 groups, 100 groups/s, 20 s left, loss 0.500",
        "epoch 1/2: 4,000 of 4,000 groups, 100 groups/s, 0 s left, loss 0.500",
    ]


def test_nothing_is_shown_if_not_wanted(capsys) -> None:
    with progress("encoding", 10, "texts", show=False) as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_the_rate(monkeypatch) -> None:
    controller, terminal = pty.openpty()
    with open(terminal, "w", closefd=True) as stream:  # noqa: PTH123 - a file descriptor
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        with progress("encoding", 10, "texts") as advance:
            advance(5)
            advance(5, "loss 0.25")
        stream.flush()
        shown = b""
        while b"loss 0.25" not in shown:  # a terminal hands over a piece at a time
            assert select.select([controller], [], [], 10)[0], f"only {shown!r} was shown"
            shown += os.read(controller, 1 << 16)
    os.close(controller)
    for part in (b"encoding", b"100%", b"texts/s", b"loss 0.25"):
        assert part in shown
