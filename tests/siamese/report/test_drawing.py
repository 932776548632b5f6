"""Pictures look the same whatever matplotlib is told."""

from typing import Any

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
