"""Texts' ids -> embeddings on a CPU, in numpy: no TensorFlow to import, to trace or to wait for.

The rows of a batch are put in the order of falling length and their characters are laid out by
position: first all first characters, then all second ones of the rows that have one, and so on. A
step of the LSTM then computes a slice, and no padding. The backward direction takes the positions
from the last to the first, so that it finds the same slices; a row joins it at its own last
character.

What saves the rest of the time:

- a character's product with the first layer's input kernel is taken when it is first met, and
  looked up from then on;
- all sigmoids of a step are one `tanh` with the others: `sigmoid(x) = (1 + tanh(x / 2)) / 2`. The
  halves are multiplied into the weights beforehand, and outputs are kept twice as large.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from siamese.config.recipe import Pooling
from siamese.encoder.weights import Layer, Weights, heads_of


class _Positions(NamedTuple):
    """Says where the characters of a batch are: T positions, N characters in B rows.

    Attributes:
        counts: rows that have a character at each position, falling, `[T]`.
        starts: where each position begins among all characters, `[T]`.
        lengths: of the rows, falling, `[B]`.
    """

    counts: list[int]
    starts: list[int]
    lengths: np.ndarray

    def slices(self) -> Iterable[tuple[int, slice]]:
        """Yield each position's number of rows and its slice of the characters."""
        for count, start in zip(self.counts, self.starts, strict=True):
            yield count, slice(start, start + count)


class Inference:
    """Computes what the Keras model of the same weights does, to float32 tolerance.

    May be called by several threads at once.

    Args:
        weights: of the encoder.
        pooling: the recipe's.
    """

    def __init__(self, weights: Weights, pooling: Pooling) -> None:
        self._pool = _POOLINGS[pooling]
        self._characters = weights.characters
        self._layers = [_rescaled(layer, first=not n) for n, layer in enumerate(weights.layers)]
        # Outputs are twice as large as they should be.
        self._attention = None if weights.attention is None else weights.attention / 2
        kernel = self._layers[0].kernel
        self._table = np.empty((2, len(weights.characters), kernel.shape[2]), np.float32)
        self._is_known = np.zeros(len(weights.characters), bool)

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """Embed rows of ids.

        Args:
            ids: int32 `[batch, time]`, padded with 0 at the end.

        Returns:
            float32 `[batch, dim]`; zeros for a row without characters.
        """
        lengths = np.count_nonzero(ids, axis=1)
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
        by_position = ids[order].T[: lengths.max(initial=0)]
        has_character = by_position != 0
        counts = np.count_nonzero(has_character, axis=1)
        starts = np.cumsum(counts) - counts
        at = _Positions(counts.tolist(), starts.tolist(), lengths)

        read = by_position[has_character]
        self._look_up(read)
        first, *others = self._layers
        outputs = _bidirectional(self._table, read, first.recurrent, at)
        for layer in others:
            inputs = outputs @ layer.kernel
            inputs += layer.bias[:, None]
            outputs = _bidirectional(inputs, None, layer.recurrent, at)
        embeddings = np.empty((len(ids), outputs.shape[1]), np.float32)
        embeddings[order] = self._pool(outputs, at, self._attention) / 2
        return embeddings

    def _look_up(self, ids: np.ndarray) -> None:
        """Fill the rows of the table that have not been needed before."""
        # Two threads may fill the same row, with the same numbers.
        new = np.unique(ids[~self._is_known[ids]])
        if len(new):
            layer = self._layers[0]
            for table, kernel, bias in zip(self._table, layer.kernel, layer.bias, strict=True):
                table[new] = self._characters[new] @ kernel + bias
            self._is_known[new] = True


def _rescaled(layer: Layer, first: bool) -> Layer:
    """Prepare weights for `_run`: with halves multiplied in.

    Gates are in the order input, forget, output, candidate. The recurrent kernels become
    `[2, 4, units, units]`.
    """
    units = layer.recurrent.shape[1]
    i, f, g, o = np.split(np.arange(4 * units), 4)
    order = np.concatenate([i, f, o, g])
    half = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), units)
    kernel, recurrent, bias = (array[..., order] * half for array in layer)
    # What comes from an LSTM is twice as large.
    by_gate = (recurrent / 2).reshape(2, units, 4, units).transpose(0, 2, 1, 3)
    return Layer(kernel if first else kernel / 2, np.ascontiguousarray(by_gate), bias)


def _bidirectional(
    inputs: np.ndarray, read: np.ndarray | None, recurrent: np.ndarray, at: _Positions
) -> np.ndarray:
    """Compute twice the outputs of both directions, float32 `[N, 2 units]`; see `_run`."""
    characters, positions = sum(at.counts), range(len(at.counts))
    outputs = np.empty((2, characters, recurrent.shape[3]), np.float32)
    for direction, steps in enumerate((positions, reversed(positions))):
        _run(inputs[direction], read, recurrent[direction], at, steps, outputs[direction])
    return np.concatenate(list(outputs), axis=1)


def _run(
    inputs: np.ndarray,
    read: np.ndarray | None,
    recurrent: np.ndarray,
    at: _Positions,
    steps: Iterable[int],
    outputs: np.ndarray,
) -> None:
    """Run one direction of an LSTM from zero states.

    Args:
        inputs: products with the input kernel and the bias, float32 `[rows, 4 units]`.
        read: which row of them each character has, `[N]`; None: its own.
        recurrent: float32 `[4, units, units]`.
        at: the positions of the batch.
        steps: the positions in the order that this direction takes them.
        outputs: where twice the outputs go, float32 `[N, units]`.
    """
    units = outputs.shape[1]
    most = max(at.counts, default=0)
    all_taken = np.empty((most, 4 * units), np.float32)
    all_gates = np.empty(4 * most * units, np.float32)
    states = np.zeros((most, units), np.float32)
    before, there = 0, 0  # the step before: where its outputs begin, and how many they are
    for position in steps:
        count, start = at.counts[position], at.starts[position]
        going_on = min(count, there)
        if read is None:
            taken = inputs[start : start + count]
        else:
            taken, rows = all_taken[:count], read[start : start + count]
            # (mode: with the default one, numpy goes by way of a buffer.)
            np.take(inputs, rows, axis=0, out=taken, mode="clip")
        gates = all_gates[: 4 * count * units].reshape(4, count, units)
        np.matmul(outputs[before : before + going_on], recurrent, out=gates[:, :going_on])
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


def _last(outputs: np.ndarray, at: _Positions, kernel: np.ndarray | None) -> np.ndarray:
    """Take the final states of both directions."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    # The forward direction ends at a row's last position, the backward one at its first.
    units = outputs.shape[1] // 2
    rows = np.arange(np.count_nonzero(at.lengths))
    ends = np.array(at.starts, int)[at.lengths[rows] - 1] + rows
    pooled[rows, :units] = outputs[ends, :units]
    pooled[rows, units:] = outputs[rows, units:]
    return pooled


def _mean(outputs: np.ndarray, at: _Positions, kernel: np.ndarray | None) -> np.ndarray:
    """Average over time, as `MaskedPooling`."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    for count, position in at.slices():
        pooled[:count] += outputs[position]
    pooled /= np.maximum(at.lengths, 1)[:, None].astype(np.float32)
    return pooled


def _max(outputs: np.ndarray, at: _Positions, kernel: np.ndarray | None) -> np.ndarray:
    """Take the largest over time, as `MaskedPooling`."""
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    pooled[at.lengths > 0] = -np.inf
    for count, position in at.slices():
        np.maximum(pooled[:count], outputs[position], out=pooled[:count])
    return pooled


def _attention(outputs: np.ndarray, at: _Positions, kernel: np.ndarray | None) -> np.ndarray:
    """Average over time with the softmax of learned scores, as `AttentionPooling`."""
    assert kernel is not None
    heads = kernel.shape[1]
    scores = outputs @ kernel
    highest = np.full((len(at.lengths), heads), -np.inf, np.float32)
    for count, position in at.slices():
        np.maximum(highest[:count], scores[position], out=highest[:count])
    total = np.zeros_like(highest)
    pooled = np.zeros((len(at.lengths), outputs.shape[1]), np.float32)
    # A product with it gives each output the weight of its head; faster than indexing.
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


# Outputs `[N, dim]`, where they are, and the kernel of `AttentionPooling`; to `[B, dim]`.
_POOLINGS: Mapping[Pooling, Callable[[np.ndarray, _Positions, np.ndarray | None], np.ndarray]] = {
    "last": _last,
    "mean": _mean,
    "max": _max,
    "attention": _attention,
}
