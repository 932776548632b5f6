"""The packed arithmetic against Keras's own layers."""

import numpy as np
import pytest
from encoders import SHAPES, make

from siamese.encoder.bilstm_tf import build_packed
from siamese.encoder.keras_tf import tf


@pytest.mark.parametrize("dropout", [0, 0.4])
@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_embeddings_and_gradients_are_those_of_the_layers(units, pooling, dropout) -> None:
    recipe, _, model, ids, noise = make(units, pooling, dropout)
    of_embeddings = np.random.default_rng(2).normal(size=(len(ids), 2 * units[-1]))
    results = []
    for embed in (build_packed(model, recipe), lambda i, n: model([i, n], training=True)):

        @tf.function
        def run(embed=embed):
            with tf.GradientTape() as tape:
                embeddings = embed(ids, noise)
            gradients = tape.gradient(
                embeddings, model.trainable_variables, tf.constant(of_embeddings, tf.float32)
            )
            return [embeddings, *map(tf.convert_to_tensor, gradients)]

        results.append([values.numpy() for values in run()])
    for packed, layers in zip(*results, strict=True):
        assert np.abs(layers).max() > 1e-3
        np.testing.assert_allclose(packed, layers, atol=1e-5 * max(1, np.abs(layers).max()))


def test_frozen_characters_have_no_gradient_and_the_others_theirs() -> None:
    recipe, _, model, ids, noise = make((7, 5), "mean")
    model.get_layer("characters").trainable = False
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.function(build_packed(model, recipe))(ids, noise) ** 2)
    assert len(model.trainable_variables) == 12
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))


def test_texts_without_characters_alone_are_zeros() -> None:
    for units, pooling in SHAPES:
        recipe, _, model, ids, noise = make(units, pooling)
        found = tf.function(build_packed(model, recipe))(tf.zeros_like(ids), noise)
        assert found.shape == (13, 2 * units[-1]) and not found.numpy().any()
