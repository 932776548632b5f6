"""The recurrence of `lstm_gradient.py`, compiled (`_lstm_training.h`), as operations of TensorFlow.

TensorFlow hands its memory to C and takes what comes back as its own, without a copy. C runs
without the interpreter's lock, in as many threads as TensorFlow has within an operation.
"""

import ctypes
from collections.abc import Callable

import numpy as np

from siamese.encoder.keras_tf import tf
from siamese.encoder.lstm_kernel import Kernel
from siamese.encoder.threads import cores


class _Layer(ctypes.Structure):
    """`struct layer` of `_lstm.c`."""

    _fields_ = [
        *((name, ctypes.c_long) for name in ("units", "rows", "steps")),
        *((name, ctypes.c_void_p) for name in ("counts", "weights", "table", "read")),
        *((name, ctypes.c_void_p) for name in ("gates", "cells", "outputs")),
        *((name, ctypes.c_void_p) for name in ("of_outputs", "states", "of_gates")),
        ("of_table", ctypes.c_void_p),
    ]


class CompiledRecurrence:
    """Computes what `_forward` and `_backward` of `lstm_gradient.py` do.

    Args:
        kernel: what computes.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def forward(
        self, table: tf.Tensor, read: tf.Tensor, recurrent: tf.Tensor, counts: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """The outputs, float32 `[2 N, units]`; and the gates and the cell states."""
        units, lanes = recurrent.shape[1], self._kernel.lanes
        gates = _filled_up(tf.reshape(recurrent, [2, units, 4, units]), lanes)
        panels = tf.transpose(tf.reshape(gates, [2, units, 4, -1, lanes]), [0, 3, 1, 2, 4])

        def run(
            table: np.ndarray,
            read: np.ndarray,
            panels: np.ndarray,
            counts: np.ndarray,
            gates: np.ndarray,
            cells: np.ndarray,
            outputs: np.ndarray,
        ) -> list[np.ndarray]:
            _call(
                self._kernel.forward,
                *(units, len(table)),
                counts=counts,
                weights=panels,
                table=table,
                read=read,
                gates=gates,
                cells=cells,
                outputs=outputs,
            )
            return [gates, cells, outputs]

        rooms = [_room(tf.size(read), width) for width in (4 * units, units, units)]
        gates, cells, outputs = _operation(run, [table, read, panels, counts], rooms)
        return outputs, (gates, cells)

    def backward(
        self,
        of_outputs: tf.Tensor,
        rows: tf.Tensor,
        read: tf.Tensor,
        recurrent: tf.Tensor,
        counts: tf.Tensor,
        kept: tuple[tf.Tensor, ...],
    ) -> tuple[tf.Tensor, ...]:
        """The gradients with respect to the table, of `rows` rows, and to the gates' inputs."""
        units, width = recurrent.shape[1], 4 * self._kernel.lanes
        columns = _filled_up(tf.transpose(recurrent, [0, 2, 1]), width)
        panels = tf.transpose(tf.reshape(columns, [2, 4 * units, -1, width]), [0, 2, 1, 3])

        def run(
            of_outputs: np.ndarray,
            read: np.ndarray,
            panels: np.ndarray,
            counts: np.ndarray,
            gates: np.ndarray,
            cells: np.ndarray,
            of_table: np.ndarray,
            of_gates: np.ndarray,
        ) -> list[np.ndarray]:
            _call(
                self._kernel.backward,
                *(units, len(of_table)),
                counts=counts,
                weights=panels,
                read=read,
                gates=gates,
                cells=cells,
                of_outputs=of_outputs,
                states=np.empty([2 * counts[0], units], np.float32),
                of_gates=of_gates,
                of_table=of_table,
            )
            return [of_table, of_gates]

        rooms = [_room(count, 4 * units) for count in (rows, tf.size(read))]
        return _operation(run, [of_outputs, read, panels, counts, *kept], rooms)


def _call(function: Callable, units: int, rows: int, **arrays: np.ndarray) -> None:
    """Call a function of the library on the arrays of a `_Layer`."""
    pointers = {name: array.ctypes.data for name, array in arrays.items()}
    layer = _Layer(units, rows, len(arrays["counts"]), **pointers)
    function(ctypes.byref(layer), tf.config.threading.get_intra_op_parallelism_threads() or cores())


def _filled_up(values: tf.Tensor, multiple: int) -> tf.Tensor:
    """Fill the last axis up with zeros."""
    missing = -values.shape[-1] % multiple
    return tf.pad(values, [[0, 0]] * (len(values.shape) - 1) + [[0, missing]])


def _room(rows: tf.Tensor, width: int) -> tf.Tensor:
    """Take memory for a result from TensorFlow, which has some at hand; the system's is cleared."""
    return tf.raw_ops.Empty(shape=[rows, width], dtype=tf.float32)


def _operation(
    run: Callable[..., list[np.ndarray]], arguments: list[tf.Tensor], rooms: list[tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """Call `run` wherever the graph is at; it fills the rooms and returns them."""
    types = [tf.float32] * len(rooms)
    found = tf.nest.flatten(tf.numpy_function(run, [*arguments, *rooms], types, stateful=False))
    for tensor, room in zip(found, rooms, strict=True):
        tensor.set_shape([None, room.shape[1]])
    return tuple(found)
