"""Orders of texts in which neighbours mean something alike."""

import numpy as np
import pytest

from siamese.teaching.neighbourhoods import neighbourhoods


def clusters(count, size, dim=16, noise=0.05):
    """Unit vectors around `count` directions, `size` each, mixed; and the cluster of each."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(count, dim))
    cluster = rng.permutation(np.repeat(np.arange(count), size))
    rows = centres[cluster] + rng.normal(scale=noise, size=(count * size, dim))
    rows += 5  # as e5's: all point much the same way
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16), cluster


@pytest.mark.parametrize(("n", "size"), [(0, 4), (1, 4), (4, 4), (5, 4), (33, 8), (100, 1)])
def test_each_text_is_in_the_order_once(n, size) -> None:
    rows = np.random.default_rng(1).normal(size=(n, 5)).astype(np.float16)
    order = neighbourhoods(rows, size)
    assert order.dtype == np.int32
    assert sorted(order) == list(range(n))


def test_runs_are_the_clusters_that_are_there() -> None:
    vectors, cluster = clusters(32, 8)
    runs = cluster[neighbourhoods(vectors, 8)].reshape(32, 8)
    random = cluster.reshape(32, 8)
    assert np.mean([len(set(run)) for run in runs]) < 2 < np.mean([len(set(r)) for r in random])


def test_the_order_is_that_of_the_seed_and_of_either_precision() -> None:
    vectors = np.random.default_rng(2).normal(size=(3000, 12)).astype(np.float16) / 4
    order = neighbourhoods(vectors, 8, seed=1)
    assert np.array_equal(order, neighbourhoods(vectors.astype(np.float32), 8, seed=1))
    assert not np.array_equal(order, neighbourhoods(vectors, 8, seed=2))


def test_equal_vectors_and_many_dimensions_do_no_harm() -> None:
    assert sorted(neighbourhoods(np.ones((20, 3), np.float16), 4)) == list(range(20))
    wide = np.random.default_rng(1).normal(size=(40, 5000)).astype(np.float32) / 70
    assert sorted(neighbourhoods(wide, 4)) == list(range(40))
