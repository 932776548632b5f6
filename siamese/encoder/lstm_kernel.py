"""An LSTM's arithmetic, compiled (`_lstm.c`): many times less time than numpy takes for the same.

It is built when the package is installed, if there is a C compiler. The library is plain C, called
by ctypes without the interpreter's lock, and holds a version for each kind of processor. Where
there is no library, or none of its versions suits, there is no kernel and numpy computes.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np

from siamese.encoder.lstm_weights import LstmWeights
from siamese.encoder.positions import Positions

# Of `_lstm.c`. A library of another one was built from an older file.
INTERFACE = 2
# What the library may have versions for, the fastest first, and numbers in a register.
LANES = {"avx512": 16, "avx2": 8, "neon": 4}


class Kernel:
    """Computes with one version of the library.

    Attributes:
        name: of the version, a kind of processor.

    Args:
        library: the library.
        name: of a version that suits this processor.
    """

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self.name = name
        self.lanes = LANES[name]
        self.run = getattr(library, f"lstm_{name}")
        self.run.argtypes = [
            *(pointer, pointer, pointer, pointer, number),
            *(ctypes.c_int, number, pointer, pointer, number, pointer),
        ]
        self._products = getattr(library, f"products_{name}")
        self._products.argtypes = [
            *(pointer, number, number, pointer, pointer, number, ctypes.c_int, pointer)
        ]
        self.forward = getattr(library, f"lstm_forward_{name}")
        self.backward = getattr(library, f"lstm_backward_{name}")
        self.forward.argtypes = self.backward.argtypes = [pointer, number]
        for function in (self.run, self._products, self.forward, self.backward):
            function.restype = None

    def lstm(self, weights: LstmWeights) -> "KernelLstm":
        """Prepare a layer."""
        return KernelLstm(self, weights)

    def products(self, kernel: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Prepare products of rows `[m, k]` with a kernel, float32 `[k, n]`."""
        height, width = kernel.shape
        columns = self.lanes if width <= self.lanes else 4 * self.lanes
        filled = np.zeros((height, -(-width // columns), columns), np.float32)
        filled.reshape(height, -1)[:, :width] = kernel
        panels = np.ascontiguousarray(filled.transpose(1, 0, 2))
        bias = np.zeros(panels.shape[::2], np.float32)

        def multiplied(rows: np.ndarray) -> np.ndarray:
            out = np.empty((len(rows), bias.size), np.float32)
            self.multiply(rows, panels, bias, out)
            return out[:, :width]

        return multiplied

    def panels(self, gates: np.ndarray) -> np.ndarray:
        """Lay weights out in panels: `[rows, 4, units]` to `[panels, rows, 4, lanes]`."""
        rows, _, units = gates.shape
        count = -(-units // self.lanes)
        filled = np.zeros((rows, 4, count * self.lanes), np.float32)
        filled[..., :units] = gates
        by_panel = filled.reshape(rows, 4, count, self.lanes).transpose(2, 0, 1, 3)
        return np.ascontiguousarray(by_panel).reshape(count, rows, -1)

    def multiply(
        self, rows: np.ndarray, panels: np.ndarray, bias: np.ndarray, out: np.ndarray
    ) -> None:
        """Multiply rows by panels and add a bias: float32 `[m, width]`."""
        rows = np.ascontiguousarray(rows)
        self._products(
            rows.ctypes.data,
            len(rows),
            rows.shape[1],
            panels.ctypes.data,
            bias.ctypes.data,
            len(panels),
            panels.shape[-1] // self.lanes,
            out.ctypes.data,
        )


class KernelLstm:
    """Runs a bidirectional layer.

    Attributes:
        block: rows of inputs that are computed together, and must be to have the same bits.
        width: numbers that a direction takes in.

    Args:
        kernel: what computes.
        weights: of the layer.
    """

    block = 1

    def __init__(self, kernel: Kernel, weights: LstmWeights) -> None:
        self._kernel = kernel
        self._units = weights.units
        self.width = 4 * kernel.lanes * -(-weights.units // kernel.lanes)
        self._inputs = [kernel.panels(each) for each in weights.kernel]
        self._bias = [kernel.panels(each[None]) for each in weights.bias]
        self._recurrent = [kernel.panels(each) for each in weights.recurrent]

    def inputs(self, rows: np.ndarray) -> np.ndarray:
        """Compute what both directions take in: products with the kernels, and the biases.

        Args:
            rows: float32 `[m, inputs]`.

        Returns:
            float32 `[2, m, width]`, for `outputs`.
        """
        inputs = np.empty((2, len(rows), self.width), np.float32)
        for panels, bias, out in zip(self._inputs, self._bias, inputs, strict=True):
            self._kernel.multiply(rows, panels, bias, out)
        return inputs

    def outputs(self, inputs: np.ndarray, read: np.ndarray, at: Positions) -> np.ndarray:
        """Compute twice the outputs of both directions, float32 `[N, 2 units]`.

        Args:
            inputs: what `inputs` gave.
            read: which row of them each character has, int32 `[N]`.
            at: the positions of the batch.
        """
        outputs = np.empty((len(read), 2 * self._units), np.float32)
        counts = np.array(at.counts, np.int32)
        states = np.empty((max(at.counts, default=0), inputs.shape[-1] // 4), np.float32)
        notes = np.empty(7 * len(states), np.int32)
        read = np.ascontiguousarray(read, np.int32)
        for direction in range(2):
            self._kernel.run(
                inputs[direction].ctypes.data,
                read.ctypes.data,
                self._recurrent[direction].ctypes.data,
                counts.ctypes.data,
                len(counts),
                direction,
                self._units,
                states.ctypes.data,
                outputs[:, direction * self._units :].ctypes.data,
                outputs.shape[1],
                notes.ctypes.data,
            )
        return outputs


@cache
def kernels() -> tuple[Kernel, ...]:
    """The versions that suit this processor, the fastest first."""
    library = _library()
    if library is None or library.lstm_interface() != INTERFACE:
        return ()
    return tuple(Kernel(library, name) for name in LANES if library.lstm_suits(name.encode()))


def _library() -> ctypes.CDLL | None:
    """Load the library that was built beside this file, or with it into a wheel."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_lstm{suffix}")
        if path.is_file():
            with suppress(OSError):  # of another system, in a folder that several use
                return ctypes.CDLL(str(path))
    return None
