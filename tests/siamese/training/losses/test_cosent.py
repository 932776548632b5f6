"""CoSENT against a restatement in numpy, one pair of pairs at a time."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rows_by_hand import batch_arrays, inputs, make_rows, unit
from tiny_batch import DATA as BATCH_DATA
from tiny_batch import SAMPLING, batch_of

from siamese.data.rows import Position, Rows
from siamese.data.sampling import sample_rows
from siamese.encoder.keras_tf import tf
from siamese.training.losses.cosent import CoSENT


def ranking_by_hand(rows: Rows, embeddings: np.ndarray, scale: float) -> float:
    """The definition, one pair of pairs at a time."""
    z = unit(embeddings.astype(np.float64))
    cosines = [z[one] @ z[other] for one, other in rows.pairs]
    graded = list(zip(cosines, rows.grades, strict=True))
    return math.log(
        1 + sum(math.exp(scale * (low - high)) for low, g in graded for high, h in graded if g < h)
    )


RANKED = {
    "negatives of some groups": make_rows(
        ["甲", "乙", "丙"],
        ["子", "丑", "寅"],
        ["天", "地", "人"],
        [("甲", "子"), ("乙", "丑"), ("丙", "寅")],
        [(0, 6), (2, 7), (2, 8), (3, 6), (5, 7), (5, 8)],
    ),
    "pairs of texts that are in no group": make_rows(
        ["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")], [(4, 5)], others=["天", "地"]
    ),
    "no negatives": make_rows(["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")]),
    "grades": make_rows(
        ["甲", "乙"],
        ["子", "丑"],
        ["天"],
        [("甲", "子"), ("乙", "丑")],
        [(4, 7), (5, 8), (6, 9), (0, 10)],
        others=["一", "二", "三", "四", "五", "六"],
        grades=[0.6, 0.2, 0.6, 0.0],
    ),
}


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_ranking_equals_its_definition(name: str, scale: float) -> None:
    rows = RANKED[name]
    embeddings = np.random.default_rng(4).normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    loss = CoSENT(scale)(inputs(tf.constant(embeddings), batch))
    assert float(loss) == pytest.approx(ranking_by_hand(rows, embeddings, scale), rel=1e-5)


@pytest.mark.parametrize("at_once", [5, 8, 24, 100])
def test_ranking_a_few_groups_at_a_time_is_the_mean_of_their_rankings(at_once) -> None:
    rows = sample_rows(BATCH_DATA, SAMPLING, 2, Position(seed=3, epoch=0, step=0))
    z = np.random.default_rng(4).normal(size=(len(rows.texts), 5)).astype(np.float32)
    groups = SAMPLING.batch_groups
    batch = batch_of(None)
    embeddings = tf.constant(z)

    def loss_and_gradient() -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = CoSENT(7.0, at_once)(inputs(embeddings, batch))
        return loss, tape.gradient(loss, embeddings)

    loss, gradient = tf.function(loss_and_gradient)()
    # The place of a pair: that of its group, or that of the group beside which it was drawn.
    of_group = np.array([one % groups for one, _ in rows.pairs])
    assert len(rows.pairs) > 2 * groups
    losses = []
    for first in range(0, groups, at_once):
        here = (of_group >= first) & (of_group < first + at_once)
        some = replace(rows, pairs=rows.pairs[here], grades=rows.grades[here])
        losses.append(ranking_by_hand(some, z, 7.0))
    assert float(loss) == pytest.approx(np.mean(losses), rel=1e-5)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_ranking_that_is_right_costs_little_and_one_that_is_wrong_much() -> None:
    rows = make_rows(["甲"], ["子"], ["天"], [("甲", "子")], [(0, 2), (1, 2)])
    batch = batch_arrays(rows, hard_negatives=1)
    right, wrong = tf.constant([[1.0, 0], [1, 0], [0, 1]]), tf.constant([[1.0, 0], [0, 1], [1, 0]])
    loss = CoSENT(10.0)
    assert float(loss(inputs(right, batch))) == pytest.approx(2 * math.exp(-10), rel=1e-3)
    assert float(loss(inputs(wrong, batch))) == pytest.approx(
        math.log(1 + math.exp(10) + 1), rel=1e-5
    )
