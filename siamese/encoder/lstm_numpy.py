"""An LSTM's arithmetic in numpy: what any machine can do, without anything compiled.

Beside other rows a row has the same bits: all products are those of `row_products.py`, and
everything else is computed for each number by itself.
"""

from collections.abc import Callable, Iterable

import numpy as np

from siamese.encoder.lstm_weights import LstmWeights
from siamese.encoder.positions import Positions
from siamese.encoder.row_products import ROWS, RowProducts, whole_blocks


class NumpyArithmetic:
    """Computes layers and products.

    Attributes:
        name: `numpy`.
    """

    name = "numpy"

    def lstm(self, weights: LstmWeights) -> "NumpyLstm":
        """Prepare a layer."""
        return NumpyLstm(weights)

    def products(self, kernel: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Prepare products of rows `[m, k]` with a kernel, float32 `[k, n]`."""
        products = RowProducts(kernel)

        def multiplied(rows: np.ndarray) -> np.ndarray:
            out = np.empty((whole_blocks(len(rows)), kernel.shape[1]), np.float32)
            products(_in_whole_blocks(rows), len(rows), out=out)
            return out[: len(rows)]

        return multiplied


class NumpyLstm:
    """Runs a bidirectional layer.

    Attributes:
        block: rows of inputs that are computed together, and must be to have the same bits.
        width: numbers that a direction takes in.

    Args:
        weights: of the layer.
    """

    block = ROWS

    def __init__(self, weights: LstmWeights) -> None:
        self._units = weights.units
        self.width = 4 * weights.units
        self._inputs = RowProducts(weights.kernel.reshape(*weights.kernel.shape[:2], -1))
        self._bias = weights.bias.reshape(2, 1, -1)
        self._recurrent = [RowProducts(each.transpose(1, 0, 2)) for each in weights.recurrent]

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """Compute what both directions take in: products with the kernels, and the biases.

        Args:
            rows: float32 `[m, inputs]`.

        Returns:
            float32 `[2, m, width]`, for `outputs`.
        """
        count = len(rows)
        rows = _in_whole_blocks(rows)
        inputs = np.empty((2, len(rows), self.width), np.float32)
        self._inputs(rows, len(rows), out=inputs)
        inputs += self._bias
        return inputs[:, :count]

    def outputs(self, inputs: np.ndarray, read: np.ndarray, at: Positions) -> np.ndarray:
        """Compute twice the outputs of both directions, float32 `[N, 2 units]`.

        Args:
            inputs: what `inputs` gave.
            read: which row of them each character has, `[N]`.
            at: the positions of the batch.
        """
        # There are more rows than characters: whole blocks, and one more.
        rows = whole_blocks(len(read)) + ROWS
        outputs = np.zeros((rows, 2 * self._units), np.float32)
        positions = range(len(at.counts))
        for direction, steps in enumerate((positions, reversed(positions))):
            own = outputs[:, direction * self._units :][:, : self._units]
            _run(inputs[direction], read, self._recurrent[direction], at, steps, own)
        return outputs[: len(read)]


def _in_whole_blocks(rows: np.ndarray) -> np.ndarray:
    """Fill rows up with zeros, to a multiple of `ROWS`."""
    missing = np.zeros((-len(rows) % ROWS, rows.shape[1]), np.float32)
    return np.concatenate([rows, missing]) if len(missing) else rows


def _run(
    inputs: np.ndarray,
    read: np.ndarray,
    recurrent: RowProducts,
    at: Positions,
    steps: Iterable[int],
    outputs: np.ndarray,
) -> None:
    """Run one direction of an LSTM from zero states.

    Args:
        inputs: products with the input kernel and the bias, float32 `[rows, 4 units]`.
        read: which row of them each character has, `[N]`.
        recurrent: from `[rows, units]` to `[4, rows, units]`.
        at: the positions of the batch.
        steps: the positions in the order that this direction takes them.
        outputs: where twice the outputs go, float32 `[rows, units]`, zeros yet; whole blocks, and
            one more than the characters need.
    """
    units = outputs.shape[1]
    most = whole_blocks(max(at.counts, default=0))
    all_taken = np.empty((most, 4 * units), np.float32)
    all_gates = np.empty(4 * most * units, np.float32)
    states = np.zeros((most, units), np.float32)
    before, there = 0, 0  # the step before: where its outputs begin, and how many they are
    for position in steps:
        count, start = at.counts[position], at.starts[position]
        going_on = min(count, there)
        taken, characters = all_taken[:count], read[start : start + count]
        # (mode: with the default one, numpy goes by way of a buffer.)
        np.take(inputs, characters, axis=0, out=taken, mode="clip")
        # Whole blocks hold rows that have ended, or not yet begun, and count for nothing.
        products = all_gates[: 4 * whole_blocks(count) * units].reshape(4, -1, units)
        gates = products[:, :count]
        if going_on:
            recurrent(outputs[before:], going_on, out=products)
        if going_on < count:
            gates[:, going_on:] = 0
        gates += taken.reshape(count, 4, units).transpose(1, 0, 2)
        c = states[:count]
        np.tanh(gates, out=gates)
        gates[:3] += 1
        i, f, o, g = gates
        i *= g
        f *= c
        np.add(i, f, out=c)
        c *= 0.5
        np.tanh(c, out=g)
        np.multiply(o, g, out=outputs[start : start + count])
        before, there = start, count
