"""Inference on a CPU against Keras's layers, compiled and in numpy; in several threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from encoders import SHAPES, make

from siamese.encoder.bilstm_cpu import Inference, arithmetics
from siamese.encoder.weights import read_weights, weights_of


@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_embeddings_are_those_of_the_layers(units, pooling) -> None:
    _, model, _, ids, _ = make(units, pooling)
    expected = model(ids)
    for arithmetic in arithmetics():
        embed = Inference(weights_of(model), pooling, arithmetic)
        for _ in range(2):  # with characters never seen, and with known ones
            np.testing.assert_allclose(embed(ids.numpy()), expected, atol=1e-6)


@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_a_row_depends_neither_on_the_others_nor_on_padding(units, pooling) -> None:
    _, model, _, ids, _ = make(units, pooling)
    for arithmetic in arithmetics():
        embed = Inference(weights_of(model), pooling, arithmetic)
        together = embed(ids.numpy())
        for row, expected in zip(ids.numpy(), together, strict=True):
            alone = embed(row[None, : np.count_nonzero(row)])
            np.testing.assert_allclose(alone[0], expected, atol=1e-6)


@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_rows_without_characters_are_zeros_and_no_rows_none(units, pooling) -> None:
    _, model, _, ids, _ = make(units, pooling)
    for arithmetic in arithmetics():
        embed = Inference(weights_of(model), pooling, arithmetic)
        found = embed(np.zeros_like(ids))
        assert found.shape == (13, 2 * units[-1]) and not found.any()
        assert embed(ids.numpy()[:0]).shape == (0, 2 * units[-1])


def test_threads_at_once_find_what_one_finds() -> None:
    _, model, _, _, _ = make((7, 5), "attention")
    weights = weights_of(model)
    batches = np.random.default_rng(3).integers(1, 50, (200, 5, 9))
    for arithmetic in arithmetics():
        alone = Inference(weights, "attention", arithmetic)
        expected = [alone(ids) for ids in batches]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(Inference(weights, "attention", arithmetic), batches))
        np.testing.assert_array_equal(found, expected)


def test_numpy_computes_where_nothing_is_compiled(monkeypatch) -> None:
    monkeypatch.setattr("siamese.encoder.bilstm_cpu.kernels", lambda: ())
    assert [arithmetic.name for arithmetic in arithmetics()] == ["numpy"]


@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_weights_are_read_from_the_file_as_keras_wrote_them(units, pooling, tmp_path) -> None:
    _, model, _, _, _ = make(units, pooling)
    model.save(tmp_path / "encoder.keras")
    read = read_weights(tmp_path / "encoder.keras")
    assert read.parameters == model.count_params()
    for weights in (read, weights_of(model)):
        for found, expected in zip(weights.flat(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)
