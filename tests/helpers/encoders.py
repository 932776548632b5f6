"""Small encoders of every shape, with ids for them."""

import numpy as np

from siamese.config.recipe import Encoder
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import tf

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
