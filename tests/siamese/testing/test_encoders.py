"""The laws of encoders and poolings: ours pass, and each law catches what breaks it."""

from collections.abc import Callable

import numpy as np
import pytest
from broken_laws import broken

from siamese.config import recipe
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_packed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.layers import AttentionPooling, MaskedPooling
from siamese.testing import LawBroken, check_encoder, check_pooling, encoders, laws, tiny


def broken_by_encoder(make) -> set[str]:
    laws_of_encoders = (
        encoders.workers_equal_one,
        encoders.micro_batches_equal_whole,
        encoders.padding_and_order_change_nothing,
        encoders.resumed_equals_unbroken,
        encoders.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(make) for law in laws_of_encoders))


@pytest.mark.parametrize(
    "make",
    [lambda: MaskedPooling("mean"), lambda: MaskedPooling("max"), lambda: AttentionPooling(4)],
    ids=["mean", "max", "attention"],
)
def test_our_poolings_keep_all_laws(make) -> None:
    check_pooling(make)


def test_our_encoder_keeps_all_laws() -> None:
    """With final states; the other poolings have their own test, and are compared with Keras's."""

    def make() -> tiny.Encoder:
        keras.utils.set_random_seed(1)
        settings = recipe.Encoder(lstm_units=(4,), dropout=0.3, pooling="last")
        table = np.random.default_rng(1).normal(size=(tiny.CHARACTERS, 5)).astype(np.float32)
        _, model = build_encoder(settings, table)
        return tiny.Encoder(build_packed(model, settings), model.trainable_variables)

    check_encoder(make)


def encoder_with(make_layer: Callable[[], keras.layers.Layer]) -> Callable[[], tiny.Encoder]:
    """Makes encoders whose embeddings go through another layer."""

    def make() -> tiny.Encoder:
        plain, layer = tiny.make_encoder(), make_layer()

        def embed(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
            return layer(plain.embed(ids, noise), training=True)

        return tiny.Encoder(embed, plain.variables)

    return make


class Centred(keras.layers.Layer):
    """Takes the mean of all rows away."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs - tf.reduce_mean(inputs, axis=0)


@pytest.mark.parametrize(
    ("make_layer", "expected"),
    [
        # Its masks depend on how often it was called, and on where a row stands.
        (
            lambda: keras.layers.Dropout(0.4, seed=3),
            {laws.WORKERS, laws.MICRO_BATCHES, laws.ORDER, laws.RESUMED},
        ),
        (Centred, {laws.WORKERS, laws.MICRO_BATCHES}),
    ],
    ids=["ordinary dropout", "depends on the other rows"],
)
def test_a_broken_encoder_is_caught_in_micro_batches(make_layer, expected) -> None:
    assert broken_by_encoder(encoder_with(make_layer)) == expected


class MeanOfAll(MaskedPooling):
    """Counts padding."""

    def __init__(self) -> None:
        super().__init__("mean")

    def call(self, inputs: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(inputs * tf.cast(mask, tf.float32)[..., None], axis=1)


def test_a_pooling_that_counts_padding_is_caught() -> None:
    """In micro-batches too, which are padded to their own longest texts."""
    found = broken_by_encoder(lambda: tiny.make_encoder(MeanOfAll))
    assert found == {laws.ORDER, laws.MICRO_BATCHES}


class Powered(MaskedPooling):
    """Forgets its power when it is saved."""

    def __init__(self, power: float = 1.0, **config: object) -> None:
        super().__init__(**{"method": "mean", **config})
        self.power = power

    def call(self, inputs: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return super().call(tf.abs(inputs) ** self.power, mask)


def test_a_pooling_that_forgets_a_setting_when_it_is_saved_is_caught() -> None:
    encoders.layer_saved_equals_loaded(lambda: Powered(1.0))
    assert broken(lambda: encoders.layer_saved_equals_loaded(lambda: Powered(2.0))) == {laws.SAVED}
    assert broken_by_encoder(lambda: tiny.make_encoder(lambda: Powered(2.0))) == set()
    with pytest.raises(LawBroken, match="saved = loaded"):
        check_pooling(lambda: Powered(2.0))
