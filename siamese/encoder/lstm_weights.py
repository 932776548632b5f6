"""An LSTM's weights as inference has them: all gates are `tanh`, outputs are twice as large.

All sigmoids of a step are one `tanh` with the others: `sigmoid(x) = (1 + tanh(x / 2)) / 2`. The
halves are multiplied into the weights beforehand, exactly, and outputs are kept twice as large.
"""

from typing import NamedTuple

import numpy as np

from siamese.encoder.weights import Layer


class LstmWeights(NamedTuple):
    """A bidirectional layer's weights; gates are input, forget, output, candidate.

    Attributes:
        kernel: of the inputs, float32 `[2, inputs, 4, units]`.
        recurrent: of the outputs before, float32 `[2, units, 4, units]`.
        bias: float32 `[2, 4, units]`.
    """

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray

    @property
    def units(self) -> int:
        """How many a direction has."""
        return self.bias.shape[-1]


def halved(layer: Layer, first: bool) -> LstmWeights:
    """Multiply the halves in.

    Args:
        layer: as Keras has it: its gates are input, forget, candidate, output.
        first: whether its inputs are characters, and not what another layer gives, twice as large.
    """
    half = np.array([0.5, 0.5, 0.5, 1], np.float32)[:, None]

    def by_gate(array: np.ndarray) -> np.ndarray:
        gates = np.asarray(array).reshape(*array.shape[:-1], 4, -1)
        return gates[..., [0, 1, 3, 2], :] * half

    kernel, recurrent, bias = map(by_gate, layer)
    return LstmWeights(kernel if first else kernel / 2, recurrent / 2, bias)
