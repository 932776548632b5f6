"""The loss against a restatement in numpy, one row and one column at a time."""

import math

import numpy as np
import pytest

from siamese.config.recipe import Text
from siamese.data.batching import make_batch
from siamese.data.rows import Rows
from siamese.encoder.keras_tf import keras, tf
from siamese.text.vocabulary import Vocabulary, count_characters
from siamese.training.losses.contrastive import batch_loss, contrastive_loss, excluded_columns
from siamese.training.losses.cosent import ranking_loss


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def loss_by_hand(rows: Rows, embeddings: np.ndarray, scale: float) -> float:
    """The definition, written out: no masks, no matrices."""
    texts, groups = rows.texts, len(rows.own)
    z = unit(embeddings.astype(np.float64))
    total = 0.0
    for row in range(2 * groups):
        group = row % groups
        positive = row + groups if row < groups else row - groups
        terms = []
        for column, text in enumerate(texts):
            if column == positive:
                right = math.exp(scale * float(z[row] @ z[column]))
                terms.append(right)
            elif text not in rows.own[group]:
                terms.append(math.exp(scale * float(z[row] @ z[column])))
        total += -math.log(right / sum(terms))
    return total / (2 * groups)


def batch_arrays(rows: Rows, hard_negatives: int = 2):
    """With room for two hard negatives a group, so that some columns hold no text."""
    return make_batch(rows, Vocabulary(count_characters(rows.texts)), Text(), hard_negatives)


def make_rows(first, second, negatives, own, negative_pairs=(), lone=()) -> Rows:
    texts = len(first) + len(second) + len(negatives) + len(lone)
    pairs = np.array(negative_pairs, np.int32).reshape(-1, 2)
    noise = np.arange(texts, dtype=np.uint32)
    return Rows(first, second, list(lone), negatives, own, pairs, noise)


ROWS = {
    "plain": make_rows(
        ["甲", "乙", "丙"], ["子", "丑", "寅"], [], [("甲", "子"), ("乙", "丑"), ("丙", "寅")]
    ),
    "hard negatives": make_rows(
        ["甲", "乙"], ["子", "丑"], ["天", "地", "人"], [("甲", "子"), ("乙", "丑", "午")]
    ),
    "a hard negative that is another row's own text": make_rows(
        ["甲", "乙"], ["子", "丑"], ["午", "丑"], [("甲", "子"), ("乙", "丑", "午")]
    ),
    "groups that share a text": make_rows(
        ["甲", "乙", "丙"], ["子", "甲", "寅"], ["天"], [("甲", "子"), ("乙", "甲"), ("丙", "寅")]
    ),
    "negative pairs of texts that are in no group, or in one": make_rows(
        ["甲", "乙"], ["子", "丑"], ["天"], [("甲", "子"), ("乙", "丑", "午")], lone=["人", "午"]
    ),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("scale", [1.0, 20.0, 30.0])
def test_loss_equals_its_definition(name: str, scale: float) -> None:
    rows = ROWS[name]
    embeddings = np.random.default_rng(3).normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    loss = batch_loss(
        tf.constant(embeddings),
        batch.column_keys,
        batch.own_groups,
        batch.own_keys,
        scale,
    )
    assert float(loss) == pytest.approx(loss_by_hand(rows, embeddings, scale), rel=1e-5)


def test_loss_of_two_groups_worked_out_on_paper() -> None:
    # Rows a0 b0 a1 b1 with a0 = a1 and b0 = b1 at right angles, scale s:
    # each row sees its positive (cosine 1) and two negatives (cosine 0).
    rows = make_rows(["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")])
    batch = batch_arrays(rows)
    z = tf.constant([[2.0, 0], [0, 3], [1, 0], [0, 1]])
    loss = batch_loss(z, batch.column_keys, batch.own_groups, batch.own_keys, 4.0)
    assert float(loss) == pytest.approx(math.log((math.exp(4) + 2) / math.exp(4)), rel=1e-5)


def test_loss_equals_the_notebooks_when_nothing_is_shared() -> None:
    """The notebook's matrix form, rows interleaved, its diagonal pushed down by 1e12."""
    groups, scale = 4, 30
    rng = np.random.default_rng(0)
    interleaved = rng.normal(size=(2 * groups, 6)).astype(np.float32)
    y = unit(interleaved.astype(np.float64))
    similarities = (y @ y.T - np.eye(2 * groups) * 1e12) * scale
    index = np.arange(2 * groups)
    labels = index[None, :] == (index + 1 - index % 2 * 2)[:, None]
    shifted = similarities - similarities.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    notebook = -(labels * log_softmax).sum(axis=1).mean()

    names = [f"t{i}" for i in range(2 * groups)]
    rows = make_rows(names[0::2], names[1::2], [], list(zip(names[0::2], names[1::2], strict=True)))
    batch = batch_arrays(rows)
    stacked = np.concatenate([interleaved[0::2], interleaved[1::2]])
    loss = batch_loss(
        tf.constant(stacked), batch.column_keys, batch.own_groups, batch.own_keys, scale
    )
    assert float(loss) == pytest.approx(notebook, rel=1e-5)


def test_excluded_columns_are_those_that_hold_a_text_of_the_group() -> None:
    excluded = excluded_columns(
        tf.constant([0, 0, 1, 1, 1]),
        tf.constant([11, 12, 21, 22, 23], tf.int64),
        tf.constant([21, 11, 99, 12, 23], tf.int64),
        2,
    )
    assert excluded.numpy().tolist() == [
        [False, True, False, True, False],
        [True, False, False, False, True],
    ]


def test_a_positive_takes_part_even_where_it_is_excluded() -> None:
    z = tf.constant([[1.0, 0.0]])
    columns = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    everything = tf.constant([[True, False]])
    loss = contrastive_loss(z, columns, tf.constant([0]), everything, 2.0)
    assert float(loss[0]) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


def test_gradient_equals_finite_differences() -> None:
    rows = ROWS["a hard negative that is another row's own text"]
    batch = batch_arrays(rows)
    z = np.random.default_rng(1).normal(size=(len(rows.texts), 3)).astype(np.float32)
    variable = keras.Variable(z)
    with tf.GradientTape() as tape:
        loss = batch_loss(variable.value, batch.column_keys, batch.own_groups, batch.own_keys, 3.0)
    gradient = tape.gradient(loss, variable.value).numpy()
    step = 1e-4
    for place in np.ndindex(z.shape):
        moved = [z.astype(np.float64).copy() for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (loss_by_hand(rows, moved[0], 3.0) - loss_by_hand(rows, moved[1], 3.0)) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=1e-4)


def ranking_by_hand(rows: Rows, embeddings: np.ndarray, scale: float) -> float:
    """The definition, one pair of pairs at a time."""
    groups = len(rows.own)
    z = unit(embeddings.astype(np.float64))
    near = [z[g] @ z[g + groups] for g in range(groups)]
    far = [z[one] @ z[other] for one, other in rows.negative_pairs]
    return math.log(1 + sum(math.exp(scale * (f - n)) for f in far for n in near))


RANKED = {
    "negatives of some groups": make_rows(
        ["甲", "乙", "丙"],
        ["子", "丑", "寅"],
        ["天", "地", "人"],
        [("甲", "子"), ("乙", "丑"), ("丙", "寅")],
        [(0, 6), (2, 7), (2, 8), (3, 6), (5, 7), (5, 8)],
    ),
    "pairs of texts that are in no group": make_rows(
        ["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")], [(4, 5)], lone=["天", "地"]
    ),
    "no negatives": make_rows(["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")]),
}


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_ranking_equals_its_definition(name: str, scale: float) -> None:
    rows = RANKED[name]
    embeddings = np.random.default_rng(4).normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    loss = ranking_loss(tf.constant(embeddings), len(rows.own), batch.negative_pairs, scale)
    assert float(loss) == pytest.approx(ranking_by_hand(rows, embeddings, scale), rel=1e-5)


def test_ranking_that_is_right_costs_little_and_one_that_is_wrong_much() -> None:
    rows = make_rows(["甲"], ["子"], ["天"], [("甲", "子")], [(0, 2), (1, 2)])
    batch = batch_arrays(rows, hard_negatives=1)
    right, wrong = tf.constant([[1.0, 0], [1, 0], [0, 1]]), tf.constant([[1.0, 0], [0, 1], [1, 0]])
    keys = (1, batch.negative_pairs)
    assert float(ranking_loss(right, *keys, 10.0)) == pytest.approx(2 * math.exp(-10), rel=1e-3)
    assert float(ranking_loss(wrong, *keys, 10.0)) == pytest.approx(
        math.log(1 + math.exp(10) + 1), rel=1e-5
    )
