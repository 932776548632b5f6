"""The packed arithmetic against Keras's own layers."""

import numpy as np
import pytest

from siamese.backend import tf
from siamese.encoder import build_encoder
from siamese.packed import build_packed
from siamese.recipe import Encoder

SHAPES = [
    ((7,), "mean"),
    ((7, 5), "mean"),
    ((6, 4, 3), "max"),
    ((5,), "last"),
    ((7, 5), "last"),
    ((8,), "attention"),
    ((7, 4), "attention"),
]


def make(units, pooling, dropout=0.4, rows=13, time=16):
    """A recipe, its models, ids of 0 to `time` characters, and noise."""
    recipe = Encoder(lstm_units=units, pooling=pooling, dropout=dropout, attention_heads=3)
    rng = np.random.default_rng(1)
    models = build_encoder(recipe, rng.normal(size=(50, 6)).astype(np.float32))
    for variable in models[0].trainable_variables:  # Keras starts biases at 0 and 1
        variable.assign_add(rng.normal(size=variable.shape) / 5)
    lengths = [0, time, 1, *rng.integers(1, time, rows - 3)]
    ids = rng.integers(1, 50, (rows, time)) * (np.arange(time) < np.array(lengths)[:, None])
    noise = rng.integers(2**32, size=rows)
    return recipe, *models, tf.constant(ids, tf.int32), tf.constant(noise, tf.uint32)


@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_embeddings_are_those_of_the_layers(units, pooling) -> None:
    recipe, plain, dropping, ids, _ = make(units, pooling)
    for model in (plain, dropping):  # of the same layers
        found = tf.function(build_packed(model, recipe))(ids)
        np.testing.assert_allclose(found, plain(ids), atol=1e-6)


@pytest.mark.parametrize("dropout", [0, 0.4])
@pytest.mark.parametrize(("units", "pooling"), SHAPES)
def test_with_dropout_gradients_are_those_of_the_layers(units, pooling, dropout) -> None:
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
        recipe, plain, _, ids, _ = make(units, pooling)
        found = tf.function(build_packed(plain, recipe))(tf.zeros_like(ids))
        assert found.shape == (13, 2 * units[-1]) and not found.numpy().any()
