"""The encoder against an LSTM written out in numpy."""

import numpy as np
import pytest
from lstm_by_hand import encode_by_hand

from siamese.config.recipe import Encoder
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.layers import MaskedPooling
from siamese.encoder.row_dropout import RowDropout

TEXTS = [[5], [3, 4, 3], [2, 9, 1, 7, 6, 5, 4], [8, 8]]


def build(units: tuple[int, ...], pooling: str, **settings) -> keras.Model:
    return build_both(units, pooling, **settings)[0]


def build_both(units: tuple[int, ...], pooling: str, **settings) -> tuple:
    keras.utils.set_random_seed(4)
    table = np.random.default_rng(1).normal(size=(10, 5)).astype(np.float32)
    return build_encoder(Encoder(lstm_units=units, pooling=pooling, **settings), table)


def padded(texts: list[list[int]], width: int) -> np.ndarray:
    return np.array([ids + [0] * (width - len(ids)) for ids in texts], np.int32)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("units", [(4,), (6, 3)])
def test_embeddings_equal_the_lstm_written_out(units: tuple[int, ...], pooling: str) -> None:
    model = build(units, pooling, attention_heads=3)
    if pooling == "attention":  # begins at zeros
        kernel = model.get_layer("attention_pooling").kernel
        kernel.assign(np.random.default_rng(2).normal(size=kernel.shape))
    embeddings = model(padded(TEXTS, 16), training=False).numpy()
    assert embeddings.shape == (len(TEXTS), 2 * units[-1])
    for text, embedding in zip(TEXTS, embeddings, strict=True):
        np.testing.assert_allclose(embedding, encode_by_hand(model, text, pooling), atol=2e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_a_row_of_padding_is_all_zeros(pooling: str) -> None:
    model = build((4,), pooling)
    embeddings = model(padded([[], [3]], 8), training=False).numpy()
    assert not embeddings[0].any()
    assert embeddings[1].any()


def test_the_notebooks_layers_in_its_order() -> None:
    encoder, trained = build_both((128, 32), "last", train_embeddings=False, dropout=0.5)
    kinds = [type(layer).__name__ for layer in trained.layers]
    assert [kind for kind in kinds if kind != "InputLayer"] == [
        "Embedding",
        "Bidirectional",
        "RowDropout",
        "Bidirectional",
        "RowDropout",
    ]
    assert [layer.rate for layer in trained.layers if hasattr(layer, "rate")] == [0.5, 0.5]
    assert encoder.output_shape == trained.output_shape == (None, 64)
    assert encoder.get_layer("characters") not in [
        layer for layer in encoder.layers if layer.trainable_weights
    ]
    assert all(a is b for a, b in zip(encoder.variables, trained.variables, strict=True))


def test_embeddings_are_trained_only_if_asked() -> None:
    for train in (True, False):
        model = build((4,), "mean", train_embeddings=train)
        names = [weight.path for weight in model.trainable_weights]
        assert any("characters" in name for name in names) is train


NOISE = np.array([7, 8, 9, 2**32 - 1], np.uint32)


def test_without_dropout_the_trained_model_is_the_encoder() -> None:
    encoder, trained = build_both((6, 4), "mean", dropout=0.0)
    ids = padded(TEXTS, 8)
    np.testing.assert_array_equal(encoder(ids), trained([ids, NOISE]))


def test_dropout_depends_on_a_rows_noise_and_on_nothing_else() -> None:
    """Neither the other rows, their order, nor the padding change it; other noise does."""
    encoder, trained = build_both((6, 4), "mean", dropout=0.5)
    whole = trained([padded(TEXTS, 8), NOISE]).numpy()
    assert not np.allclose(whole, encoder(padded(TEXTS, 8)))
    for row, text in enumerate(TEXTS):
        alone = trained([padded([text], 16), NOISE[row : row + 1]]).numpy()
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-6)
        other = trained([padded([text], 8), NOISE[row : row + 1] + 1]).numpy()
        assert not np.allclose(other[0], whole[row])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate_scales_the_rest_and_looks_random(rate: float) -> None:
    noise = np.random.default_rng(0).integers(2**32, size=64, dtype=np.uint32)
    ones = np.ones((64, 20, 48), np.float32)
    dropped = [RowDropout(rate, salt)(ones, noise=noise).numpy() for salt in (1, 2)]
    kept = dropped[0] > 0
    assert np.allclose(dropped[0][kept], 1 / (1 - rate))
    # 61,440 draws; five standard deviations.
    assert kept.mean() == pytest.approx(1 - rate, abs=5 * (rate * (1 - rate) / kept.size) ** 0.5)
    # Rows, positions, units and layers are uncorrelated.
    for axis in range(3):
        series = np.moveaxis(kept, axis, 0).reshape(kept.shape[axis], -1)
        apart = np.corrcoef(series)[~np.eye(len(series), dtype=bool)]
        assert np.abs(apart).max() < 6 / series.shape[1] ** 0.5
    assert abs(np.corrcoef(kept.ravel(), dropped[1].ravel() > 0)[0, 1]) < 6 / kept.size**0.5


def test_dropout_of_final_states_has_no_time_axis() -> None:
    noise = np.arange(4000, dtype=np.uint32)
    kept = RowDropout(0.3, 1)(np.ones((4000, 10), np.float32), noise=noise).numpy() > 0
    assert kept.mean() == pytest.approx(0.7, abs=0.02)


def test_attention_begins_as_the_mean() -> None:
    found, expected = (build((4,), pooling)(padded(TEXTS, 8)) for pooling in ("attention", "mean"))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["max", "attention"])
def test_pooling_layer_survives_serialisation_in_safe_mode(tmp_path, pooling) -> None:
    model = build((4,), pooling)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    ids = padded(TEXTS, 8)
    np.testing.assert_array_equal(model(ids), again(ids))
    name = f"{pooling}_pooling"
    assert again.get_layer(name).get_config() == model.get_layer(name).get_config()


def test_pooling_layer_refuses_an_unknown_method() -> None:
    with pytest.raises(ValueError, match="mean or max"):
        MaskedPooling("median")


def test_gradients_do_not_depend_on_padding() -> None:
    model = build((4,), "mean", dropout=0.0)
    gradients = []
    for width in (8, 24):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(model(padded(TEXTS, width), training=True) ** 2)
        gradients.append(
            [tf.convert_to_tensor(g) for g in tape.gradient(value, model.trainable_weights)]
        )
    for narrow, wide in zip(*gradients, strict=True):
        np.testing.assert_allclose(narrow, wide, atol=1e-6)
