"""How all pictures look: colours, fonts and PNG bytes.

The global state of matplotlib (backend, settings) is left as it was.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DPI = 150
# Of Okabe and Ito's colour-blind-safe palette; the two differ in lightness too, and so in grey.
POSITIVE, NEGATIVE = "#0072b2", "#e69f00"
INK, FAINT = "#1f2933", "#8a949e"
# Lines are told apart by colour, dashes and markers.
LINES = (
    ("#0072b2", "-", "o"),
    ("#d55e00", "--", "s"),
    ("#009e73", "-.", "^"),
    ("#7b4fa3", ":", "D"),
    ("#1f2933", "-", "v"),
)
_STYLE: dict[Any, Any] = {
    "font.family": ["Noto Sans SC"],
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#e4e7eb",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "hatch.linewidth": 0.8,
    "text.parse_math": False,
}


def number(value: float) -> str:
    """Write a figure with four decimals and a real minus sign."""
    return f"{value:.4f}".replace("-", "−")


@contextmanager
def chinese_style() -> Iterator[None]:
    """Draw with the report's settings and Noto Sans SC, whatever the user's matplotlibrc says."""
    matplotlib = _matplotlib()
    from matplotlib.font_manager import fontManager
    from pylopdf_fonts_zh_cn import sans_path

    font = str(sans_path())
    if all(entry.fname != font for entry in fontManager.ttflist):
        fontManager.addfont(font)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def _matplotlib() -> Any:
    """Import matplotlib, also where MPLBACKEND names a backend that is not installed.

    A notebook's kernel sets it for all that it starts. It says where windows open, and none does.
    """
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:  # for whoever uses pyplot in this process
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib


def png_of(figure: "Figure") -> bytes:
    """Make a figure a PNG; the same figure gives the same bytes (no date, no version)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    # Not savefig, which draws twice.
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def to_png(draws: Sequence[Callable[["Axes"], None]], width: float, height: float) -> bytes:
    """Draw panels side by side.

    Args:
        draws: each fills the `Axes` that it is given.
        width: of a panel, in inches.
        height: in inches.
    """
    with chinese_style():
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine

        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = Figure(figsize=(width * len(draws), height), dpi=DPI, layout=layout)
        for axes, draw in zip(figure.subplots(1, len(draws), squeeze=False)[0], draws, strict=True):
            draw(axes)
        return png_of(figure)


def whole_ticks(axes: "Axes") -> None:
    """Put marks of the horizontal axis at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
    )


def legend_below(axes: "Axes", columns: int, more: Sequence["Line2D"] = ()) -> None:
    """Put the legend below the axes.

    Args:
        axes: whose lines it explains.
        columns: of the legend.
        more: lines of a second axis.
    """
    handles = [*axes.get_legend_handles_labels()[0], *more]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=columns)
