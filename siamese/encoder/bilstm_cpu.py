"""Texts' ids -> embeddings on a CPU: no TensorFlow to import, to trace or to wait for.

The characters of a batch are laid out by position (`positions.py`). A step of the LSTM then
computes a slice, and no padding. The backward direction takes the positions from the last to the
first, so that it finds the same slices; a row joins it at its own last character. A character's
product with the first layer's input kernel is taken when it is first met, and looked up from then
on.

The LSTM itself is computed by `lstm_kernel.py`, which is compiled, or where it is not by
`lstm_numpy.py`.

A row's embedding has the same bits whatever the other rows are and whatever was embedded before:
so have the products and steps of both, and everything else is computed for each number by itself,
or summed up in the order of the positions.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from siamese.config.encoder_sections import Pooling
from siamese.encoder.lstm_kernel import kernels
from siamese.encoder.lstm_numpy import NumpyArithmetic
from siamese.encoder.lstm_weights import LstmWeights, halved
from siamese.encoder.positions import Positions, by_position
from siamese.encoder.weights import Weights, heads_of

Products = Callable[[np.ndarray], np.ndarray]


class Lstm(Protocol):
    """Runs a bidirectional layer; see `lstm_numpy.py`."""

    block: int
    width: int

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """Compute what both directions take in."""
        ...

    def outputs(self, inputs: np.ndarray, read: np.ndarray, at: Positions) -> np.ndarray:
        """Compute twice the outputs of both directions."""
        ...


class Arithmetic(Protocol):
    """Computes layers and products.

    Attributes:
        name: of the kind of processor that it was compiled for, or `numpy`.
    """

    name: str

    def lstm(self, weights: LstmWeights) -> Lstm:
        """Prepare a layer."""
        ...

    def products(self, kernel: np.ndarray) -> Products:
        """Prepare products of rows `[m, k]` with a kernel, float32 `[k, n]`."""
        ...


def arithmetics() -> list[Arithmetic]:
    """What can compute on this machine, the fastest first; numpy always can."""
    return [*kernels(), NumpyArithmetic()]


class Inference:
    """Computes what the Keras model of the same weights does, to float32 tolerance.

    May be called by several threads at once.

    Args:
        weights: of the encoder.
        pooling: the recipe's.
        arithmetic: what computes; None: the fastest.
    """

    def __init__(
        self, weights: Weights, pooling: Pooling, arithmetic: Arithmetic | None = None
    ) -> None:
        arithmetic = arithmetic or arithmetics()[0]
        self._pool = _POOLINGS[pooling]
        self._characters = np.asarray(weights.characters)  # which may be a memory map
        self._layers = [
            arithmetic.lstm(halved(layer, first=not n)) for n, layer in enumerate(weights.layers)
        ]
        attention = weights.attention
        # Outputs are twice as large as they should be.
        self._scores = None if attention is None else arithmetic.products(attention / 2)
        first = self._layers[0]
        blocks = -(-len(self._characters) // first.block)
        self._table = np.empty((2, blocks * first.block, first.width), np.float32)
        self._is_known = np.zeros(blocks, bool)  # of each block of the table

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """Embed rows of ids.

        Args:
            ids: int32 `[batch, time]`, padded with 0 at the end.

        Returns:
            float32 `[batch, dim]`; zeros for a row without characters.
        """
        order, read, at = by_position(ids)
        self._look_up(read)
        first, *others = self._layers
        outputs = first.outputs(self._table, read, at)
        for layer in others:
            outputs = layer.outputs(layer.inputs(outputs), np.arange(len(read), dtype=np.int32), at)
        embeddings = np.empty((len(ids), outputs.shape[1]), np.float32)
        embeddings[order] = self._pool(outputs, at, self._scores) / 2
        return embeddings

    def _look_up(self, ids: np.ndarray) -> None:
        """Fill the blocks of the table that have not been needed before."""
        # Two threads may fill the same block, with the same numbers.
        first = self._layers[0]
        blocks = np.unique(ids // first.block)
        blocks = blocks[~self._is_known[blocks]]
        if not len(blocks):
            return
        rows = (blocks[:, None] * first.block + np.arange(first.block)).ravel()
        characters = self._characters.take(rows, axis=0, mode="clip")  # the last block may be short
        self._table[:, rows] = first.inputs(characters)
        self._is_known[blocks] = True


def _last(outputs: np.ndarray, at: Positions, score: Products | None) -> np.ndarray:
    """Take the final states of both directions."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    # The forward direction ends at a row's last position, the backward one at its first.
    units = outputs.shape[1] // 2
    rows = np.arange(np.count_nonzero(at.lengths))
    ends = np.array(at.starts, int)[at.lengths[rows] - 1] + rows
    pooled[rows, :units] = outputs[ends, :units]
    pooled[rows, units:] = outputs[rows, units:]
    return pooled


def _mean(outputs: np.ndarray, at: Positions, score: Products | None) -> np.ndarray:
    """Average over time, as `MaskedPooling`."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    for count, position in at.slices():
        pooled[:count] += outputs[position]
    pooled /= np.maximum(at.lengths, 1)[:, None].astype(np.float32)
    return pooled


def _max(outputs: np.ndarray, at: Positions, score: Products | None) -> np.ndarray:
    """Take the largest over time, as `MaskedPooling`."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    pooled[at.lengths > 0] = -np.inf
    for count, position in at.slices():
        np.maximum(pooled[:count], outputs[position], out=pooled[:count])
    return pooled


def _attention(outputs: np.ndarray, at: Positions, score: Products | None) -> np.ndarray:
    """Average over time with the softmax of learned scores, as `AttentionPooling`."""
    assert score is not None
    scores = score(outputs)
    heads = scores.shape[1]
    highest = np.full((len(at.lengths), heads), -np.inf, np.float32)
    for count, position in at.slices():
        np.maximum(highest[:count], scores[position], out=highest[:count])
    total = np.zeros_like(highest)
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    # A product with it gives each output the weight of its head, exactly; faster than indexing.
    spread = heads_of(outputs.shape[1], heads) == np.arange(heads)[:, None]
    spread = spread.astype(np.float32)
    for count, position in at.slices():
        weights = np.exp(scores[position] - highest[:count])
        total[:count] += weights
        weighted = weights @ spread
        weighted *= outputs[position]
        pooled[:count] += weighted
    total[at.lengths == 0] = 1
    return pooled / (total @ spread)


# Outputs `[N, dim]`, where they are, and the products with the kernel of `AttentionPooling`; to
# `[B, dim]`.
_POOLINGS: Mapping[Pooling, Callable[[np.ndarray, Positions, Products | None], np.ndarray]] = {
    "last": _last,
    "mean": _mean,
    "max": _max,
    "attention": _attention,
}
