"""Pictures look the same whatever matplotlib is told."""

import os
import subprocess
import sys
from typing import Any

import pytest
from paths import ROOT

from siamese.report.drawing import to_png


def test_matplotlib_is_left_as_it_was_and_its_settings_do_not_matter() -> None:
    import matplotlib

    def state() -> list[object]:
        settings = {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
        return [settings, matplotlib.get_backend(auto_select=False)]

    def draw() -> bytes:
        def panel(axes: Any) -> None:
            axes.set(title="密码", xlim=(-1, 1))

        return to_png([panel], 3, 3)

    plain = draw()
    with matplotlib.rc_context({"font.size": 17, "axes.facecolor": "red", "savefig.dpi": 10}):
        before = state()
        assert draw() == plain
        assert state() == before


@pytest.mark.parametrize(("backend", "left"), [("no-such-backend", None), ("svg", "svg")])
def test_a_backend_that_is_not_installed_does_not_matter(backend, left) -> None:
    """Every notebook sets MPLBACKEND for the commands that it starts."""
    code = (
        "from siamese.report.drawing import to_png; import os; "
        "assert to_png([lambda axes: axes.plot([0, 1])], 1, 1).startswith(b'\\x89PNG'); "
        "import matplotlib as m; print(os.environ['MPLBACKEND'], m.rcParams._get_backend_or_none())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [backend, str(left)], done.stderr
