"""Gradient caching against the plain step, in one process (for several, see test_workers.py)."""

import numpy as np
import pytest
from tiny_batch import batch_of, build

from siamese.encoder.keras_tf import tf
from siamese.training.step import build_train_step


@pytest.mark.parametrize("micro", [5, 100])
def test_cached_gradients_equal_the_plain_ones(micro: int) -> None:
    strategy = tf.distribute.get_strategy()
    results = []
    for size in (None, micro):
        arguments = build(strategy)
        variables = arguments[2]
        before = [v.numpy() for v in variables]
        step = build_train_step(*arguments, cached=size is not None)
        loss = float(step(batch_of(size)))
        after = [v.numpy() for v in variables]
        results.append((loss, [b - a for b, a in zip(before, after, strict=True)]))
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-5)
    for plain, cached in zip(results[0][1], results[1][1], strict=True):
        assert np.abs(plain).max() > 1e-4
        np.testing.assert_allclose(cached, plain, atol=2e-5 * max(1, np.abs(plain).max()))
