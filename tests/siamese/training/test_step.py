"""Gradient caching against the plain step, in one process (for several, see test_workers.py)."""

import numpy as np
import pytest
from tiny_batch import batch_of, build

from siamese.data.batching import NO_TEXT
from siamese.encoder.keras_tf import tf
from siamese.training.losses.contrastive import batch_loss
from siamese.training.step import batch_loss_gradient, build_cached_step, build_plain_step


@pytest.mark.parametrize("micro", [5, 100])
def test_cached_gradients_equal_the_plain_ones(micro: int) -> None:
    strategy = tf.distribute.get_strategy()
    results = []
    for size in (None, micro):
        arguments = build(strategy)
        variables = arguments[2]
        before = [v.numpy() for v in variables]
        step = (build_cached_step if size else build_plain_step)(*arguments)
        loss = float(step(batch_of(size)))
        after = [v.numpy() for v in variables]
        results.append((loss, [b - a for b, a in zip(before, after, strict=True)]))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    for plain, cached in zip(results[0][1], results[1][1], strict=True):
        assert np.abs(plain).max() > 1e-4
        np.testing.assert_allclose(cached, plain, atol=2e-5 * max(1, np.abs(plain).max()))


@pytest.mark.parametrize("at_once", [7, 50])
def test_the_loss_in_slices_is_the_whole_loss_with_its_gradient(at_once, monkeypatch) -> None:
    batch = batch_of(None)
    arrays = (batch.column_keys, batch.own_groups, batch.own_keys)
    rows = len(batch.positions)
    assert (batch.column_keys[rows:] == NO_TEXT).all() and len(batch.column_keys) > rows
    z = tf.constant(np.random.default_rng(1).normal(size=(rows, 4)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(z)
        whole = batch_loss(z, *arrays, 20.0)
    monkeypatch.setattr("siamese.training.step.COMPARED_AT_ONCE", at_once * 2 * 96)
    loss, gradient = tf.function(batch_loss_gradient)(z, *arrays, 20.0)
    assert float(loss) == pytest.approx(float(whole), rel=1e-5)
    np.testing.assert_allclose(gradient, tape.gradient(whole, z), atol=1e-5)
