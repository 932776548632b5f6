"""Gradient caching against the plain step, in one process (for several, see test_workers.py)."""

import numpy as np
import pytest

from siamese.backend import keras, tf
from siamese.batches import NO_TEXT, make_batch
from siamese.encoder import build_encoder
from siamese.groups import Group
from siamese.loss import batch_loss
from siamese.packed import build_embed
from siamese.recipe import Encoder, Loss, Sampling, Text
from siamese.sampling import sample_rows
from siamese.train_step import batch_loss_gradient, build_cached_step, build_plain_step
from siamese.vocabulary import Vocabulary, count_characters

# Texts of 1 to 40 characters; groups with no, one or three hard negatives, some of them texts of
# other groups; two groups that share a text; at the end five of a single text.
GROUPS = [
    Group(
        str(g),
        tuple(
            chr(0x4E00 + (g * 7 + t) % 50) * (1 + (g * 11 + t * 5) % 40) for t in range(2 + g % 3)
        ),
        tuple(f"反{g}{n}" for n in range((0, 1, 3)[g % 3])),
    )
    for g in range(24)
]
GROUPS[5] = Group("5", (*GROUPS[5].texts, GROUPS[6].texts[0]), GROUPS[7].texts[:1])
LONE = 5
GROUPS += [Group(f"l{n}", (f"独{n}",), (f"反{n}{n}", GROUPS[n].texts[0])) for n in range(LONE)]
VOCABULARY = Vocabulary(count_characters(t for g in GROUPS for t in (*g.texts, *g.negatives)))
SAMPLING = Sampling(batch_groups=24)
LOSS = Loss(scale=20, hard_negatives=2, ranking=0.5, ranking_scale=10)


def build(strategy, optimizer=None):
    """The arguments of `build_plain_step` and `build_cached_step`."""
    keras.utils.set_random_seed(1)
    table = np.random.default_rng(2).normal(size=(len(VOCABULARY), 6)).astype(np.float32)
    recipe = Encoder(lstm_units=(7, 5), dropout=0.4, pooling="mean")
    _, model = build_encoder(recipe, table)
    # Plain gradient descent of rate 1: the weights' change is the gradient.
    optimizer = optimizer or keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    embed = build_embed(model, recipe)
    return strategy, embed, model.trainable_variables, optimizer, LOSS


def batch_of(micro_batch_groups: int | None, hard_negatives: int = 2):
    rows = sample_rows(GROUPS, (29,), SAMPLING, hard_negatives, seed=3, epoch=0, step=0, lone=LONE)
    return make_batch(rows, VOCABULARY, Text(), hard_negatives, micro_batch_groups)


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
    rows = len(batch.places)
    assert (batch.column_keys[rows:] == NO_TEXT).all() and len(batch.column_keys) > rows
    z = tf.constant(np.random.default_rng(1).normal(size=(rows, 4)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(z)
        whole = batch_loss(z, *arrays, 20.0)
    monkeypatch.setattr("siamese.train_step.COMPARED_AT_ONCE", at_once * 2 * 96)
    loss, gradient = tf.function(batch_loss_gradient)(z, *arrays, 20.0)
    assert float(loss) == pytest.approx(float(whole), rel=1e-5)
    np.testing.assert_allclose(gradient, tape.gradient(whole, z), atol=1e-5)
