"""The encoder as an ONNX graph: ids -> embeddings. Needs the extra `onnx`.

Written node by node: converters turn Keras' masked LSTMs into loops.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from siamese.config.encoder_sections import Pooling
from siamese.encoder.weights import Layer, Weights, heads_of

INPUT, OUTPUT = "ids", "embeddings"
# Both old enough for the runtimes of recent years, and new enough for all that is used.
OPSET, IR_VERSION = 17, 8


class _Graph:
    """Collects nodes and constants; `add` returns the name of a node's first output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: np.ndarray, name: str = "") -> str:
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        names = [name, *(f"{name}_{n}" for n in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, [*inputs], names, name, **attributes))
        return name


def build_graph(weights: Weights, pooling: Pooling) -> Any:
    """Build the graph.

    Its input `ids` is int64 `[batch, time]`, padded with 0 at the end; both sizes are free, `time`
    is at least 1. Its output `embeddings` is float32 `[batch, dim]`; zeros for a row of padding.

    Args:
        weights: of the encoder.
        pooling: the recipe's.

    Returns:
        An `onnx.ModelProto` that `onnx.checker` has checked.
    """
    graph = _Graph()
    mask = graph.add("Not", graph.add("Equal", INPUT, graph.integers(0)))  # [batch, time]
    lengths = graph.add(
        "ReduceSum", graph.add("Cast", mask, to=TensorProto.INT32), graph.integers(1), keepdims=0
    )
    # An LSTM wants a character in each row; what it makes of padding is left out below.
    read = graph.add("Max", lengths, graph.constant(np.array([1], np.int32)))
    characters = graph.constant(weights.characters, "characters")
    by_position = graph.add("Transpose", INPUT, perm=[1, 0])
    hidden = graph.add("Gather", characters, by_position)  # [time, batch, dim]
    for number, layer in enumerate(weights.layers, start=1):
        hidden, states = _add_lstm(graph, hidden, read, layer, f"lstm{number}")
    if pooling == "last":
        pooled = _joined_directions(graph, states, [1, 0, 2])
    else:
        pooled = _add_pooling(graph, hidden, mask, lengths, pooling, weights.attention)
    rows = graph.add(
        "Unsqueeze", graph.add("Cast", lengths, to=TensorProto.BOOL), graph.integers(1)
    )
    empty = graph.number(0)
    graph.nodes.append(helper.make_node("Where", [rows, pooled, empty], [OUTPUT], OUTPUT))
    ids = helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", "time"])
    sizes: list[str | int | None] = ["batch", weights.embedding_dim]
    embeddings = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "encoder", [ids], [embeddings], graph.constants),
        producer_name="siamese-ray",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _add_lstm(graph: _Graph, hidden: str, lengths: str, layer: Layer, name: str) -> tuple[str, str]:
    """Add a bidirectional LSTM.

    Returns:
        Its outputs `[time, batch, 2 units]`, and its final states `[2, batch, units]`.
    """
    units = layer.recurrent.shape[1]
    # Keras has the gates in the order i, f, c, o; ONNX in i, o, f, c, and weights transposed.
    i, f, c, o = np.split(np.arange(4 * units), 4)
    order = np.concatenate([i, o, f, c])
    bias = layer.bias[:, order]
    lstm = graph.add(
        "LSTM",
        hidden,
        graph.constant(layer.kernel[:, :, order].transpose(0, 2, 1), f"{name}_kernel"),
        graph.constant(layer.recurrent[:, :, order].transpose(0, 2, 1), f"{name}_recurrent"),
        graph.constant(np.concatenate([bias, np.zeros_like(bias)], axis=1), f"{name}_bias"),
        lengths,
        outputs=2,
        direction="bidirectional",
        hidden_size=units,
    )
    # Outputs are [time, 2, batch, units].
    return _joined_directions(graph, lstm, [0, 2, 1, 3]), f"{lstm}_1"


def _joined_directions(graph: _Graph, values: str, perm: list[int]) -> str:
    """Lay both directions' units side by side."""
    shape = graph.integers(*[0] * (len(perm) - 2), -1)  # 0: as it is
    return graph.add("Reshape", graph.add("Transpose", values, perm=perm), shape)


def _add_pooling(
    graph: _Graph,
    hidden: str,
    mask: str,
    lengths: str,
    pooling: Pooling,
    attention: np.ndarray | None,
) -> str:
    """Pool outputs `[time, batch, dim]` over time."""
    is_there = graph.add(
        "Unsqueeze", graph.add("Transpose", mask, perm=[1, 0]), graph.integers(2)
    )  # [time, batch, 1]
    if pooling == "max":
        lowest = graph.add("Where", is_there, hidden, graph.number(-np.inf))
        return graph.add("ReduceMax", lowest, axes=[0], keepdims=0)
    if attention is None:
        outputs = graph.add("Where", is_there, hidden, graph.number(0))
        total = graph.add("ReduceSum", outputs, graph.integers(0), keepdims=0)
        count = graph.add("Cast", lengths, to=TensorProto.FLOAT)
        count = graph.add("Max", count, graph.number(1))
        return graph.add("Div", total, graph.add("Unsqueeze", count, graph.integers(1)))
    scores = graph.add("MatMul", hidden, graph.constant(attention, "attention"))
    scores = graph.add("Where", is_there, scores, graph.number(-1e9))
    weights = graph.add("Softmax", scores, axis=0)
    heads = graph.constant(heads_of(*attention.shape).astype(np.int64), "heads")
    weights = graph.add("Gather", weights, heads, axis=2)  # [time, batch, dim]
    weighted = graph.add("Mul", weights, hidden)
    return graph.add("ReduceSum", weighted, graph.integers(0), keepdims=0)
