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


@pytest.mark.parametrize(("share", "steps"), [(0.2, 4), (0.24, 4), (0.999, 19), (0.01, 0)])
def test_a_warm_up_may_be_a_share_of_the_run(share, steps) -> None:
    """Rounded down, so that it is shorter than any run."""
    as_share, as_steps = (
        build_optimizer(Optimizer(learning_rate=0.01, **warmup), total_steps=20)
        for warmup in ({"warmup_share": share}, {"warmup_steps": steps})
    )
    for step in range(21):
        rates = []
        for optimizer in (as_share, as_steps):
            optimizer.iterations.assign(step)
            rates.append(float(optimizer.learning_rate))
        assert rates[0] == rates[1]


def test_a_warm_up_in_steps_comes_before_a_share() -> None:
    settings = Optimizer(learning_rate=0.01, warmup_steps=2, warmup_share=0.5)
    optimizer = build_optimizer(settings, total_steps=20)
    optimizer.iterations.assign(1)
    assert float(optimizer.learning_rate) == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("groups", "rate", "beta_2"),
    [
        (64, 0.006, 0.998),
        (256, 0.012, 0.992),
        (1024, 0.024, 0.968),
        (16, 0.003, 0.9995),
        (64 * 64, 0.048, 0.9),  # not 1 - 0.002 * 64
        (64 << 20, 1.0, 0.9),
    ],
)
def test_settings_for_one_batch_are_scaled_to_another(groups, rate, beta_2) -> None:
    settings = Optimizer(
        learning_rate=0.006, beta_2=0.998, warmup_steps=120, clip_norm=1, scale_with_batch=64
    ).at_batch(groups)
    found = (settings.learning_rate, settings.beta_2, settings.warmup_steps, settings.clip_norm)
    assert found == pytest.approx((rate, beta_2, 120, 1))
    assert settings.at_batch(7) == settings  # they are what holds
    assert build_optimizer(settings, total_steps=10_000).beta_2 == pytest.approx(beta_2)


def test_a_beta_2_that_is_low_already_stays() -> None:
    settings = Optimizer(beta_2=0.8, scale_with_batch=64)
    assert settings.at_batch(640).beta_2 == pytest.approx(0.8)
    assert Optimizer(beta_2=0.8).at_batch(640).beta_2 == 0.8
