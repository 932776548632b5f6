"""The compiled arithmetic against the same in float64: each version for this processor."""

import ctypes

import numpy as np
import pytest

from siamese.encoder import lstm_kernel
from siamese.encoder.lstm_kernel import Kernel, kernels
from siamese.encoder.lstm_numpy import NumpyArithmetic
from siamese.encoder.lstm_weights import LstmWeights
from siamese.encoder.positions import Positions, by_position

pytestmark = pytest.mark.skipif(not kernels(), reason="not compiled, or not for this processor")


@pytest.fixture(params=kernels(), ids=lambda kernel: kernel.name)
def kernel(request) -> Kernel:
    return request.param


def weights_for(units: int, inputs: int = 6, seed: int = 1) -> LstmWeights:
    rng = np.random.default_rng(seed)
    shapes = [(2, inputs, 4, units), (2, units, 4, units), (2, 4, units)]
    arrays = [rng.normal(size=shape) / max(shape[1], 4) ** 0.5 for shape in shapes]
    return LstmWeights(*(array.astype(np.float32) for array in arrays))


def texts_of(rows: int, longest: int, characters: int) -> tuple[np.ndarray, Positions]:
    """What random texts read, many of which begin or end as others do, and where it is."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(0, longest + 1, rows)
    ids = rng.integers(1, characters, (rows, longest)).astype(np.int32)
    _, read, at = by_position(ids * (np.arange(longest) < lengths[:, None]))
    return read, at


def by_hand(
    inputs: np.ndarray, read: np.ndarray, at: Positions, weights: LstmWeights
) -> np.ndarray:
    """Twice the outputs of each character, text by text, in float64."""
    units = weights.units
    outputs = np.zeros((len(read), 2 * units))
    for row, length in enumerate(at.lengths):
        for direction in range(2):
            h, c = np.zeros(units), np.zeros(units)
            for position in range(length)[:: 1 if direction == 0 else -1]:
                character = at.starts[position] + row
                gates = inputs[direction, read[character]] + np.einsum(
                    "k,kgu->gu", h, weights.recurrent[direction].astype(float)
                )
                i, f, o = 1 + np.tanh(gates[:3])
                c = (i * np.tanh(gates[3]) + f * c) / 2
                h = o * np.tanh(c)
                outputs[character, direction * units :][:units] = h
    return outputs


@pytest.mark.parametrize("units", [1, 5, 8, 16, 21, 40])
def test_outputs_are_those_of_an_lstm_written_out(kernel, units) -> None:
    weights = weights_for(units)
    characters = np.random.default_rng(3).normal(size=(5, 6)).astype(np.float32)
    read, at = texts_of(60, 9, 5)
    lstm = kernel.lstm(weights)
    found = lstm.outputs(lstm.inputs(characters), read, at)
    inputs = np.einsum("ck,dkgu->dcgu", characters.astype(float), weights.kernel.astype(float))
    expected = by_hand(inputs + weights.bias[:, None], read, at, weights)
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize("width", [1, 8, 16, 17, 130])
def test_products_are_those_of_the_matrices(kernel, width) -> None:
    rng = np.random.default_rng(4)
    rows, matrix = (rng.normal(size=s).astype(np.float32) for s in ((61, 33), (33, width)))
    products = kernel.products(matrix)
    together = products(rows)
    np.testing.assert_allclose(together, rows.astype(float) @ matrix, rtol=1e-5, atol=1e-5)
    for part in (slice(0, 1), slice(3, 10), slice(60, 61), slice(0, 0)):
        np.testing.assert_array_equal(products(rows[part]), together[part])


def test_a_text_has_the_same_bits_whatever_is_beside_it(kernel) -> None:
    """Many read the same so far, which is computed once for all of them; alone, none does."""
    weights, rng = weights_for(21), np.random.default_rng(5)
    lstm = kernel.lstm(weights)
    inputs = lstm.inputs(rng.normal(size=(4, 6)).astype(np.float32))
    read, at = texts_of(150, 12, 4)
    together = lstm.outputs(inputs, read, at)
    for row in rng.choice(np.count_nonzero(at.lengths), 30, replace=False):
        length = at.lengths[row]
        own = np.array(at.starts[:length]) + row
        alone = Positions([1] * length, list(range(length)), at.lengths[row : row + 1])
        found = lstm.outputs(inputs, read[own], alone)
        np.testing.assert_array_equal(found, together[own])


def test_tanh_is_right_to_its_last_digits(kernel) -> None:
    """A step with open gates: its cell state is tanh of the candidate's input."""
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(size=4000) * 3, 10.0 ** rng.uniform(-30, 30, 4000), [0, np.inf]])
    x = np.concatenate([x, -x]).astype(np.float32)
    units = len(x)
    gates = np.full((1, 4, units), 100, np.float32)
    gates[0, 3] = x
    inputs = kernel.panels(gates)
    states = np.empty(inputs.size // 4, np.float32)
    counts, read, notes = np.ones(1, np.int32), np.zeros(1, np.int32), np.empty(7, np.int32)
    outputs = np.empty(units, np.float32)
    arrays = [array.ctypes.data for array in (inputs, read, inputs, counts)]
    more = [array.ctypes.data for array in (states, outputs)]
    kernel.run(*arrays, 1, 0, units, *more, units, notes.ctypes.data)
    expected = np.tanh(x.astype(float))
    found = states[:units].astype(float)
    assert np.abs(found - expected).max() < 2e-7
    small = np.abs(x) > 1e-30
    assert (np.abs(found - expected)[small] / np.abs(expected)[small]).max() < 3e-7
    np.testing.assert_allclose(outputs, 2 * np.tanh(expected), rtol=6e-7, atol=1e-37)


def test_nan_is_not_hidden(kernel) -> None:
    lstm = kernel.lstm(weights_for(3))
    inputs = lstm.inputs(np.full((1, 6), np.nan, np.float32))
    at = Positions([1, 1], [0, 1], np.array([2]))
    assert np.isnan(lstm.outputs(inputs, np.zeros(2, np.int32), at)).all()


def test_all_versions_and_numpy_agree() -> None:
    weights = weights_for(13)
    read, at = texts_of(40, 8, 7)
    characters = np.random.default_rng(7).normal(size=(7, 6)).astype(np.float32)
    found = []
    for arithmetic in (*kernels(), NumpyArithmetic()):
        lstm = arithmetic.lstm(weights)
        found.append(lstm.outputs(lstm.inputs(characters), read, at))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=2e-6)


def test_a_library_of_an_older_interface_is_not_called(monkeypatch) -> None:
    monkeypatch.setattr(lstm_kernel, "INTERFACE", lstm_kernel.INTERFACE + 1)
    assert kernels.__wrapped__() == ()


def test_without_a_library_there_is_no_kernel(monkeypatch) -> None:
    monkeypatch.setattr(lstm_kernel, "_library", lambda: None)
    assert kernels.__wrapped__() == ()


def test_a_library_that_cannot_be_loaded_counts_for_nothing(monkeypatch) -> None:
    def fail(path: str) -> None:
        raise OSError("wrong ELF class")

    monkeypatch.setattr(ctypes, "CDLL", fail)
    assert kernels.__wrapped__() == ()
