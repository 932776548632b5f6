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

A row's embedding has the same bits whatever the other rows are and whatever was embedded before:
all products are those of `row_products.py`, and the table is filled in aligned blocks. Everything
else is computed for each number by itself, or summed up in the order of the positions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from siamese.config.encoder_sections import Pooling
from siamese.encoder.row_products import ROWS, RowProducts, whole_blocks
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


class _Lstm(NamedTuple):
    """Holds a layer's weights as `_run` uses them.

    Attributes:
        inputs: from `[rows, inputs]` to `[2, rows, 4 units]`.
        bias: float32 `[2, 1, 4 units]`.
        recurrent: of each direction, from `[rows, units]` to `[4, rows, units]`.
        units: of a direction.
    """

    inputs: RowProducts
    bias: np.ndarray
    recurrent: Sequence[RowProducts]
    units: int


class Inference:
    """Computes what the Keras model of the same weights does, to float32 tolerance.

    May be called by several threads at once.

    Args:
        weights: of the encoder.
        pooling: the recipe's.
    """

    def __init__(self, weights: Weights, pooling: Pooling) -> None:
        self._pool = _POOLINGS[pooling]
        self._characters = np.asarray(weights.characters)  # which may be a memory map
        self._layers = [_rescaled(layer, first=not n) for n, layer in enumerate(weights.layers)]
        # Outputs are twice as large as they should be.
        self._attention = None if weights.attention is None else weights.attention / 2
        rows = whole_blocks(len(self._characters))
        self._table = np.empty((2, rows, 4 * self._layers[0].units), np.float32)
        self._is_known = np.zeros(rows // ROWS, bool)  # of each block of the table

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
        outputs = _bidirectional(self._table, read, first, at)
        for layer in others:
            outputs = _bidirectional(_inputs(layer, outputs), None, layer, at)
        embeddings = np.empty((len(ids), outputs.shape[1]), np.float32)
        embeddings[order] = self._pool(outputs, at, self._attention) / 2
        return embeddings

    def _look_up(self, ids: np.ndarray) -> None:
        """Fill the blocks of the table that have not been needed before."""
        # Two threads may fill the same block, with the same numbers.
        blocks = np.unique(ids // ROWS)
        blocks = blocks[~self._is_known[blocks]]
        if not len(blocks):
            return
        rows = (blocks[:, None] * ROWS + np.arange(ROWS)).ravel()
        characters = self._characters.take(rows, axis=0, mode="clip")  # the last block may be short
        self._table[:, rows] = _inputs(self._layers[0], characters)
        self._is_known[blocks] = True


def _rescaled(layer: Layer, first: bool) -> _Lstm:
    """Prepare weights for `_run`: with halves multiplied in.

    Gates are in the order input, forget, output, candidate.
    """
    units = layer.recurrent.shape[1]
    i, f, g, o = np.split(np.arange(4 * units), 4)
    order = np.concatenate([i, f, o, g])
    half = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), units)
    kernel, recurrent, bias = (np.asarray(array)[..., order] * half for array in layer)
    # What comes from an LSTM is twice as large.
    by_gate = (recurrent / 2).reshape(2, units, 4, units).transpose(0, 2, 1, 3)
    return _Lstm(
        RowProducts(kernel if first else kernel / 2),
        bias[:, None],
        [RowProducts(direction) for direction in by_gate],
        units,
    )


def _inputs(layer: _Lstm, rows: np.ndarray) -> np.ndarray:
    """Compute what both directions take in, float32 `[2, rows, 4 units]`; `rows` whole blocks."""
    inputs = np.empty((2, len(rows), 4 * layer.units), np.float32)
    layer.inputs(rows, len(rows), out=inputs)
    inputs += layer.bias
    return inputs


def _bidirectional(
    inputs: np.ndarray, read: np.ndarray | None, layer: _Lstm, at: _Positions
) -> np.ndarray:
    """Compute twice the outputs of both directions, float32 `[rows, 2 units]`; see `_run`.

    There are more rows than characters: whole blocks, and one more.
    """
    units = layer.units
    outputs = np.zeros((whole_blocks(sum(at.counts)) + ROWS, 2 * units), np.float32)
    positions = range(len(at.counts))
    for direction, steps in enumerate((positions, reversed(positions))):
        own = outputs[:, direction * units : (direction + 1) * units]
        _run(inputs[direction], read, layer.recurrent[direction], at, steps, own)
    return outputs


def _run(
    inputs: np.ndarray,
    read: np.ndarray | None,
    recurrent: RowProducts,
    at: _Positions,
    steps: Iterable[int],
    outputs: np.ndarray,
) -> None:
    """Run one direction of an LSTM from zero states.

    Args:
        inputs: products with the input kernel and the bias, float32 `[rows, 4 units]`.
        read: which row of them each character has, `[N]`; None: its own.
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
        if read is None:
            taken = inputs[start : start + count]
        else:
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
    scores = np.empty((len(outputs), heads), np.float32)
    RowProducts(kernel)(outputs, len(outputs), out=scores)
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


# Outputs `[rows, dim]`, where they are, and the kernel of `AttentionPooling`; to `[B, dim]`.
_POOLINGS: Mapping[Pooling, Callable[[np.ndarray, _Positions, np.ndarray | None], np.ndarray]] = {
    "last": _last,
    "mean": _mean,
    "max": _max,
    "attention": _attention,
}
