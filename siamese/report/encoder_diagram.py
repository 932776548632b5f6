"""The report's picture of the encoder: two texts, one encoder, two vectors, a similarity."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.report.drawing import DPI, FAINT, INK, POSITIVE, chinese_style, number, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from siamese.encoder.keras_tf import keras

EXAMPLE = ("怎么修改密码", "如何更改密码")

# The picture is laid out in inches, from the top down.
_WIDTH = 6.4
_BOX, _GAP = 0.56, 0.2
_LEFT, _RIGHT = 1.75, 4.65  # the two texts' columns
_TINT, _PANEL, _DULL = "#dcebf5", "#f4f6f8", "#5a6672"


@dataclass(frozen=True)
class LayerBox:
    """What the diagram says of one layer.

    Attributes:
        name: the layer's name.
        kind: what it is, in words.
        shape: of its output, such as `[batch, time, 256]`.
        parameters: how many numbers it holds.
    """

    name: str
    kind: str
    shape: str
    parameters: int


def layer_boxes(model: "keras.Model") -> list[LayerBox]:
    """Describe every layer of an encoder, from the ids to the vector."""
    return [
        LayerBox(layer.name, _kind(layer), _shape(layer.output.shape), layer.count_params())
        for layer in model.layers
    ]


def _kind(layer: "keras.layers.Layer") -> str:
    from siamese.encoder.keras_tf import keras
    from siamese.encoder.layers import AttentionPooling, MaskedPooling

    if isinstance(layer, keras.layers.InputLayer):
        return "a number for each character"
    if isinstance(layer, keras.layers.Embedding):
        return f"embedding of {layer.input_dim:,} ids" + ("" if layer.trainable else ", frozen")
    if isinstance(layer, keras.layers.Bidirectional):
        inner = layer.forward_layer
        states = "" if inner.return_sequences else ", final states"
        return f"BiLSTM, 2 × {inner.units} units{states}"
    if isinstance(layer, MaskedPooling):
        return f"{layer.method} over time, padding left out"
    if isinstance(layer, AttentionPooling):
        return f"mean over time, {layer.heads} heads of learned weights"
    return type(layer).__name__


def _shape(shape: tuple[int | None, ...]) -> str:
    axes = ("batch", "time")
    return f"[{', '.join(str(size or axes[axis]) for axis, size in enumerate(shape))}]"


def draw_encoder(encoder: SentenceEncoder) -> bytes:
    """Draw the encoder as PNG; the example's similarity is the encoder's own."""
    boxes = layer_boxes(encoder.model)
    panel_top = 1.45
    panel_bottom = panel_top + 0.55 + len(boxes) * (_BOX + _GAP)
    height = panel_bottom + 2.6
    with chinese_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, height), dpi=DPI)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        for x, name, text in ((_LEFT, "text 1", EXAMPLE[0]), (_RIGHT, "text 2", EXAMPLE[1])):
            _box(axes, x - 1.2, 0.25, 2.4, 0.75, edge=POSITIVE)
            axes.text(x, 0.45, name, ha="center", va="center", size=9.5, color=_DULL)
            axes.text(x, 0.75, text, ha="center", va="center", size=13)
            _arrow(axes, (x, 1), (x, panel_top))
        _draw_layers(axes, boxes, encoder.weights.parameters, panel_top, panel_bottom)
        _draw_comparison(axes, encoder, panel_bottom)
        return png_of(figure)


def _draw_layers(
    axes: "Axes", boxes: list[LayerBox], parameters: int, top: float, bottom: float
) -> None:
    left, right = 0.35, _WIDTH - 0.35
    _box(axes, left, top, right - left, bottom - top, face=_PANEL, edge=FAINT)
    title = f"one encoder for both texts: {parameters:,} parameters"
    axes.text(_WIDTH / 2, top + 0.28, title, ha="center", va="center", size=11.5)
    y = top + 0.55
    for place, box in enumerate(boxes):
        face = _TINT if box.parameters else "white"
        _box(axes, left + 0.2, y, right - left - 0.4, _BOX, face=face, edge=FAINT)
        count = f"{box.parameters:,} parameters" if box.parameters else "no parameters"
        for x, align, first, second in (
            (left + 0.35, "left", box.name, box.kind),
            (right - 0.35, "right", box.shape, count),
        ):
            axes.text(x, y + 0.245, first, ha=align, size=11.5)
            axes.text(x, y + 0.455, second, ha=align, size=9.5, color=_DULL)
        y += _BOX
        if place < len(boxes) - 1:
            _arrow(axes, (_WIDTH / 2, y), (_WIDTH / 2, y + _GAP))
        y += _GAP


def _draw_comparison(axes: "Axes", encoder: SentenceEncoder, top: float) -> None:
    vectors, below = top + 0.4, top + 1.5
    for x, name in ((_LEFT, "p"), (_RIGHT, "q")):
        _arrow(axes, (x, top), (x, vectors))
        _box(axes, x - 1.2, vectors, 2.4, 0.5, edge=POSITIVE)
        text = f"vector {name}: {encoder.embedding_dim} numbers"
        axes.text(x, vectors + 0.25, text, ha="center", va="center")
        _arrow(axes, (x, vectors + 0.5), (x, below))
    kind = encoder.recipe.evaluation.similarity
    formula = "cosine of p and q" if kind == "cosine" else "sum(pq) / sqrt(sum(p² + q²))"
    value, threshold = encoder.similarity(*EXAMPLE), encoder.threshold
    verdict = (
        f"{number(value)} > threshold {number(threshold)}: the same meaning"
        if value > threshold
        else f"{number(value)} ≤ threshold {number(threshold)}: different"
    )
    _box(axes, 0.55, below, _WIDTH - 1.1, 0.8, edge=POSITIVE)
    middle = _WIDTH / 2
    text = f"similarity: {formula}"
    axes.text(middle, below + 0.26, text, ha="center", va="center", size=11.5)
    axes.text(middle, below + 0.54, verdict, ha="center", va="center", size=10.5, color=_DULL)


def _box(
    axes: "Axes",
    x: float,
    y: float,
    width: float,
    height: float,
    edge: str,
    face: str = "white",
) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = "round,pad=0,rounding_size=0.07"
    patch = FancyBboxPatch((x, y), width, height, shape, facecolor=face, edgecolor=edge, lw=1.1)
    axes.add_patch(patch)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "color": INK, "lw": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops={**look, "mutation_scale": 9})
