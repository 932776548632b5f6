"""The encoder against an LSTM written out in numpy."""

import numpy as np
import pytest
from lstm_by_hand import encode_by_hand

from siamese.backend import keras, tf
from siamese.encoder import MaskedPooling, build_encoder
from siamese.recipe import Encoder

TEXTS = [[5], [3, 4, 3], [2, 9, 1, 7, 6, 5, 4], [8, 8]]


def build(units: tuple[int, ...], pooling: str, **settings) -> keras.Model:
    keras.utils.set_random_seed(4)
    table = np.random.default_rng(1).normal(size=(10, 5)).astype(np.float32)
    return build_encoder(Encoder(lstm_units=units, pooling=pooling, **settings), table)


def padded(texts: list[list[int]], width: int) -> np.ndarray:
    return np.array([ids + [0] * (width - len(ids)) for ids in texts], np.int32)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("units", [(4,), (6, 3)])
def test_embeddings_equal_the_lstm_written_out(units: tuple[int, ...], pooling: str) -> None:
    model = build(units, pooling)
    embeddings = model(padded(TEXTS, 16), training=False).numpy()
    assert embeddings.shape == (len(TEXTS), 2 * units[-1])
    for text, embedding in zip(TEXTS, embeddings, strict=True):
        np.testing.assert_allclose(embedding, encode_by_hand(model, text, pooling), atol=2e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_a_row_of_padding_is_all_zeros(pooling: str) -> None:
    model = build((4,), pooling)
    embeddings = model(padded([[], [3]], 8), training=False).numpy()
    assert not embeddings[0].any()
    assert embeddings[1].any()


def test_the_notebooks_layers_in_its_order() -> None:
    model = build((128, 32), "last", train_embeddings=False, dropout=0.5)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == [
        "InputLayer",
        "Embedding",
        "Bidirectional",
        "Dropout",
        "Bidirectional",
        "Dropout",
    ]
    assert [layer.rate for layer in model.layers if kinds and hasattr(layer, "rate")] == [0.5, 0.5]
    assert model.output_shape == (None, 64)
    assert model.get_layer("characters") not in [
        layer for layer in model.layers if layer.trainable_weights
    ]


def test_embeddings_are_trained_only_if_asked() -> None:
    for train in (True, False):
        model = build((4,), "mean", train_embeddings=train)
        names = [weight.path for weight in model.trainable_weights]
        assert any("characters" in name for name in names) is train


def test_dropout_is_at_work_in_training_only() -> None:
    model = build((4,), "mean", dropout=0.5)
    ids = padded(TEXTS, 8)
    assert not np.array_equal(model(ids, training=True), model(ids, training=True))
    assert np.array_equal(model(ids, training=False), model(ids, training=False))


def test_pooling_layer_survives_serialisation_in_safe_mode(tmp_path) -> None:
    model = build((4,), "max")
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    ids = padded(TEXTS, 8)
    np.testing.assert_array_equal(model(ids), again(ids))
    assert again.get_layer("max_pooling").get_config()["method"] == "max"


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
