"""The learning rate over a run, and clipping (of several workers, see test_workers.py)."""

import math

import numpy as np
import pytest

from siamese.config.recipe import Optimizer
from siamese.encoder.keras_tf import keras, tf
from siamese.training.optimizer import build_optimizer


@pytest.mark.parametrize(
    ("warmup", "decay", "expected"),
    [
        (0, "constant", lambda step: 0.01),
        (4, "constant", lambda step: 0.01 * min(step / 4, 1)),
        (0, "cosine", lambda step: 0.01 * 0.5 * (1 + math.cos(math.pi * step / 20))),
        (
            4,
            "cosine",
            lambda step: (
                0.01 * step / 4
                if step < 4
                else 0.01 * 0.5 * (1 + math.cos(math.pi * (step - 4) / 16))
            ),
        ),
    ],
)
def test_learning_rate_warms_up_and_decays(warmup, decay, expected) -> None:
    optimizer = build_optimizer(
        Optimizer(learning_rate=0.01, warmup_steps=warmup, decay=decay), total_steps=20
    )
    for step in range(21):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(expected(step), abs=1e-6)


@pytest.mark.parametrize(("length", "expected"), [(None, 1), (0.5, 0.5 / 13), (20, 1)])
def test_a_longer_gradient_is_scaled_to_the_length(length, expected) -> None:
    """Adam's first mean is a tenth of the gradient: 3, 4 and 12 are 13 long."""
    variables = [keras.Variable(np.zeros(2, np.float32)), keras.Variable(np.zeros(1, np.float32))]
    optimizer = build_optimizer(Optimizer(clip_norm=length), total_steps=10)
    optimizer.build(variables)
    optimizer.apply([tf.constant([3.0, 4.0]), tf.constant([12.0])], variables)
    means = np.concatenate([v.numpy() for v in optimizer.variables if "momentum" in v.path])
    np.testing.assert_allclose(means, np.array([3, 4, 12]) * 0.1 * expected, rtol=1e-6)
