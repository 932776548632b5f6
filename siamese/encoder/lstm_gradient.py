"""The LSTM's recurrence over packed sequences, with its gradient written out.

The cell is Keras's: gates in the order input, forget, candidate, output; sigmoid and tanh
(Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000).
"""

from collections.abc import Callable
from typing import Any

from siamese.encoder.keras_tf import tf
from siamese.encoder.lstm_kernel import kernels
from siamese.encoder.lstm_training_kernel import CompiledRecurrence


def recurrence(
    table: tf.Tensor, read: tf.Tensor, recurrent: tf.Tensor, counts: tf.Tensor
) -> tf.Tensor:
    """The outputs of both directions of an LSTM, from zero states.

    Args:
        table: products with the input kernel and the bias, float32 `[m, 4 units]`.
        read: which row of them each character of each direction has, in packed order (see
            `bilstm_tf.py`), int32 `[2 N]`.
        recurrent: the recurrent kernels, float32 `[2, units, 4 units]`.
        counts: rows at each step, falling, int32 `[steps]`; their sum is N.

    Returns:
        Outputs in packed order, float32 `[2 N, units]`.
    """
    forward, backward = _forward, _backward
    if kernels():
        compiled = CompiledRecurrence(kernels()[0])
        forward, backward = compiled.forward, compiled.backward

    @tf.custom_gradient
    def with_gradient(table: tf.Tensor, recurrent: tf.Tensor) -> Any:
        outputs, kept = forward(table, read, recurrent, counts)

        def gradient(of_outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_outputs = tf.convert_to_tensor(of_outputs)
            rows = tf.shape(table)[0]
            of_table, of_gates = backward(of_outputs, rows, read, recurrent, counts, kept)
            return of_table, _of_recurrent(outputs, of_gates, counts)

        return outputs, gradient

    return with_gradient(table, recurrent)


def _forward(
    table: tf.Tensor, read: tf.Tensor, recurrent: tf.Tensor, counts: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.TensorArray, ...]]:
    """The outputs; and of every step the four gates and the cell states."""
    projected = tf.gather(table, read)
    steps, units = tf.size(counts), recurrent.shape[1]
    outputs = _array(steps, [None, units])
    kept = tuple(_array(steps, [2, None, units]) for _ in range(5))
    nothing = tf.zeros([2, tf.reduce_max(counts), units])

    def step(
        t: tf.Tensor, start: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: Any, kept: Any
    ) -> tuple:
        n = counts[t]
        own = tf.reshape(projected[start : start + 2 * n], [2, n, 4 * units])
        i, f, g, o = tf.split(own + tf.matmul(h[:, :n], recurrent), 4, axis=2)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c[:, :n] + i * g
        h = o * tf.tanh(c)
        outputs = outputs.write(t, tf.reshape(h, [2 * n, units]))
        values = (i, f, g, o, c)
        kept = tuple(array.write(t, value) for array, value in zip(kept, values, strict=True))
        return t + 1, start + 2 * n, h, c, outputs, kept

    end = _loop(lambda t, *_: t < steps, step, (0, 0, nothing, nothing, outputs, kept), units)
    return end[4].concat(), end[5]


def _backward(
    of_outputs: tf.Tensor,
    rows: tf.Tensor,
    read: tf.Tensor,
    recurrent: tf.Tensor,
    counts: tf.Tensor,
    kept: tuple[tf.TensorArray, ...],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradients with respect to the table, which has so many rows, and to the gates' inputs."""
    steps, units = tf.size(counts), recurrent.shape[1]
    transposed = tf.transpose(recurrent, [0, 2, 1])

    def step(t: tf.Tensor, end: tf.Tensor, of_h: tf.Tensor, of_c: tf.Tensor, found: Any) -> tuple:
        n = counts[t]
        i, f, g, o, c = (array.read(t) for array in kept)
        before = tf.maximum(t - 1, 0)
        first = tf.cast(t > 0, tf.float32)
        c_before = first * kept[4].read(before)[:, :n]
        # Rows that had no later step get nothing from there.
        missing = [[0, 0], [0, n - tf.shape(of_h)[1]], [0, 0]]
        of_h = tf.pad(of_h, missing) + tf.reshape(of_outputs[end - 2 * n : end], [2, n, units])
        tanh_c = tf.tanh(c)
        of_c = tf.pad(of_c, missing) + of_h * o * (1 - tanh_c * tanh_c)
        of_gates = tf.concat(
            [
                of_c * g * i * (1 - i),
                of_c * c_before * f * (1 - f),
                of_c * i * (1 - g * g),
                of_h * tanh_c * o * (1 - o),
            ],
            axis=2,
        )
        found = found.write(t, tf.reshape(of_gates, [2 * n, 4 * units]))
        return t - 1, end - 2 * n, tf.matmul(of_gates, transposed), of_c * f, found

    nothing = tf.zeros([2, 0, units])
    found = _array(steps, [None, 4 * units])
    start = (steps - 1, tf.shape(of_outputs)[0], nothing, nothing, found)
    of_gates = _loop(lambda t, *_: t >= 0, step, start, units)[4].concat()
    return tf.math.unsorted_segment_sum(of_gates, read, rows), of_gates


def _of_recurrent(outputs: tf.Tensor, of_gates: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
    """The gradient with respect to the recurrent kernels: one matrix product for each direction."""
    later, width = counts[1:], 2 * counts
    starts = tf.cumsum(width, exclusive=True)
    step = tf.repeat(tf.range(tf.size(later)), later)
    row = tf.range(tf.size(step)) - tf.gather(tf.cumsum(later, exclusive=True), step)
    gradients = []
    for direction in range(2):
        before = tf.gather(starts[:-1] + direction * counts[:-1], step) + row
        at = tf.gather(starts[1:] + direction * later, step) + row
        gradients.append(
            tf.matmul(tf.gather(outputs, before), tf.gather(of_gates, at), transpose_a=True)
        )
    return tf.stack(gradients)


def _array(steps: tf.Tensor, shape: list[int | None]) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, steps, element_shape=shape, infer_shape=False)


def _loop(condition: Callable[..., tf.Tensor], step: Callable, start: tuple, units: int) -> tuple:
    """A loop whose third and fourth variables hold a number of rows that changes."""
    state = tf.TensorShape([2, None, units])
    others = [tf.nest.map_structure(lambda _: tf.TensorShape(None), part) for part in start[4:]]
    shapes = (tf.TensorShape([]), tf.TensorShape([]), state, state, *others)
    return tf.while_loop(condition, step, start, shape_invariants=shapes, parallel_iterations=1)
