"""What a `draw_*` function draws."""

import io
from collections.abc import Callable
from typing import Any


def axes_of(draw: Callable[..., None], *values: Any) -> Any:
    """Fill the `Axes` of a figure, and draw it."""
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    draw(axes, *values)
    figure.savefig(io.BytesIO())
    return axes
