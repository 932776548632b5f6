"""Progress: lines in a log, a bar on a terminal and in a notebook, nothing when not wanted."""

import os
import pty
import select
import sys
from types import SimpleNamespace

import pytest

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


@pytest.mark.parametrize(
    ("term", "columns", "drawn"),
    [("xterm", "80", True), ("dumb", "80", False), ("xterm", "40", False)],
)
def test_a_narrow_or_dumb_terminal_gets_lines_as_a_log_does(
    monkeypatch, term, columns, drawn
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", columns)
    assert module.can_draw(SimpleNamespace(isatty=lambda: True)) == drawn
    assert not module.can_draw(SimpleNamespace(isatty=lambda: False))


class _Handle:
    """Stands for what IPython returns of something that it shows."""

    def __init__(self, shown: object) -> None:
        self.states = [shown]

    def update(self, shown: object) -> None:
        self.states.append(shown)


@pytest.fixture
def notebook(monkeypatch) -> SimpleNamespace:
    """The part of IPython that a notebook has, with what it was asked to show."""
    shell = SimpleNamespace(kernel=object(), execution_count=7)
    handles: list[_Handle] = []

    def display(shown: object, display_id: bool) -> _Handle:
        handles.append(_Handle(shown))
        return handles[-1]

    package = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(module, "_cell", (-1, None))
    return SimpleNamespace(shell=shell, handles=handles)


def test_a_notebook_gets_one_bar_per_cell_that_changes_in_place(
    notebook, monkeypatch, capsys
) -> None:
    clock = iter([0.0, 1.0, 1.05, 2.0, 10.0, 12.0, 20.0, 21.0])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    with progress("epoch 1/2", 400, "groups") as advance:
        for _ in range(3):  # the second one comes too soon to be shown
            advance(100, "loss < 1")
    with progress("epoch 2/2", 400, "groups") as advance:
        advance(400)
    [bar] = notebook.handles
    assert [repr(state) for state in bar.states] == [
        "epoch 1/2: 0% of 400 groups",
        "epoch 1/2: 25% 100 of 400 groups, 100 groups/s, 3 s left, loss < 1",
        "epoch 1/2: 75% 300 of 400 groups, 150 groups/s, 1 s left, loss < 1",
        "epoch 2/2: 0% of 400 groups",
        "epoch 2/2: 100% 400 of 400 groups, 200 groups/s, 0 s left",
    ]
    html = bar.states[1]._repr_html_()
    assert '<progress value="0.2500" max="1">' in html and "loss &lt; 1" in html
    notebook.shell.execution_count += 1
    with progress("encoding", 10, "texts") as advance:
        advance(10)
    assert len(notebook.handles) == 2
    assert capsys.readouterr() == ("", "")


def test_ipython_on_a_terminal_is_no_notebook(notebook, monkeypatch) -> None:
    del notebook.shell.kernel
    with progress("encoding", 10, "texts") as advance:
        advance(10)
    assert notebook.handles == []
