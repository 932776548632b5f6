"""The contrastive loss against a restatement in numpy, one row and one column at a time."""

import math

import numpy as np
import pytest
from rows_by_hand import ROWS, batch_arrays, inputs, make_rows, unit
from tiny_batch import batch_of

from siamese.data.batching import NO_TEXT
from siamese.data.rows import Rows
from siamese.encoder.keras_tf import keras, tf
from siamese.training.losses import contrastive
from siamese.training.losses.contrastive import Contrastive, row_losses


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


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("scale", [1.0, 20.0, 30.0])
def test_loss_equals_its_definition(name: str, scale: float) -> None:
    rows = ROWS[name]
    embeddings = np.random.default_rng(3).normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    loss = Contrastive(scale)(inputs(tf.constant(embeddings), batch))
    assert float(loss) == pytest.approx(loss_by_hand(rows, embeddings, scale), rel=1e-5)


def test_loss_of_two_groups_worked_out_on_paper() -> None:
    # Rows a0 b0 a1 b1 with a0 = a1 and b0 = b1 at right angles, scale s:
    # each row sees its positive (cosine 1) and two negatives (cosine 0).
    rows = make_rows(["甲", "乙"], ["子", "丑"], [], [("甲", "子"), ("乙", "丑")])
    batch = batch_arrays(rows)
    z = tf.constant([[2.0, 0], [0, 3], [1, 0], [0, 1]])
    loss = Contrastive(4.0)(inputs(z, batch))
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
    loss = Contrastive(scale)(inputs(tf.constant(stacked), batch))
    assert float(loss) == pytest.approx(notebook, rel=1e-5)


def test_a_positive_takes_part_even_where_it_is_excluded() -> None:
    z = tf.constant([[1.0, 0.0]])
    columns = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    everything = tf.constant([[True, False]])
    loss = row_losses(z, columns, tf.constant([0]), everything, 2.0)
    assert float(loss[0]) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


def test_gradient_equals_finite_differences() -> None:
    rows = ROWS["a hard negative that is another row's own text"]
    batch = batch_arrays(rows)
    z = np.random.default_rng(1).normal(size=(len(rows.texts), 3)).astype(np.float32)
    variable = keras.Variable(z)
    with tf.GradientTape() as tape:
        loss = Contrastive(3.0)(inputs(variable.value, batch))
    gradient = tape.gradient(loss, variable.value).numpy()
    step = 1e-4
    for place in np.ndindex(z.shape):
        moved = [z.astype(np.float64).copy() for _ in range(2)]
        moved[0][place] += step
        moved[1][place] -= step
        slope = (loss_by_hand(rows, moved[0], 3.0) - loss_by_hand(rows, moved[1], 3.0)) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=1e-4)


@pytest.mark.parametrize("groups_at_once", [7, 50])
def test_the_loss_in_slices_is_the_whole_loss_with_its_gradient(
    groups_at_once, monkeypatch
) -> None:
    batch = batch_of(None)
    rows = len(batch.positions)
    assert (batch.column_keys[rows:] == NO_TEXT).all() and len(batch.column_keys) > rows
    z = tf.constant(np.random.default_rng(1).normal(size=(rows, 4)).astype(np.float32))

    def loss_and_gradient() -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = 3 * Contrastive(20.0)(inputs(z, batch))
        return loss, tape.gradient(loss, z)

    whole, of_whole = loss_and_gradient()
    columns = len(batch.column_keys)
    monkeypatch.setattr(contrastive, "COMPARED_AT_ONCE", groups_at_once * 2 * columns)
    loss, gradient = tf.function(loss_and_gradient)()
    assert float(loss) == pytest.approx(float(whole), rel=1e-5)
    np.testing.assert_allclose(gradient, of_whole, atol=3e-5)
