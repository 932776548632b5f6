"""The loss against a restatement in numpy, one row and one column at a time."""

import math
import re

import numpy as np
import pytest
from tiny_batch import batch_of
from tiny_run import DATA, PAIRS, TINY

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe, with_settings
from siamese.config.recipe import Loss, Text
from siamese.data.batching import NO_TEXT, Batch, make_batch
from siamese.data.rows import Rows
from siamese.encoder.keras_tf import keras, tf
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary, count_characters
from siamese.training.context import LocalContext
from siamese.training.loop import fit
from siamese.training.loss import LossInputs, build_loss, excluded_columns, read_options
from siamese.training.losses import contrastive
from siamese.training.losses.contrastive import Contrastive, row_losses
from siamese.training.losses.cosent import CoSENT
from siamese.training.losses.distillation import Distillation
from siamese.training.parts import Parts
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder


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


def inputs(embeddings: tf.Tensor, batch: Batch) -> LossInputs:
    """Those of the only replica."""
    return LossInputs(embeddings, *map(tf.constant, batch[3:]))


def batch_arrays(rows: Rows, hard_negatives: int = 2):
    """With room for two hard negatives a group, so that some columns hold no text."""
    return make_batch(rows, Vocabulary(count_characters(rows.texts)), Text(), hard_negatives)


def make_rows(first, second, negatives, own, other_pairs=(), others=(), grades=None) -> Rows:
    """Grades are those of the other pairs, if they are not 0."""
    texts = len(first) + len(second) + len(negatives) + len(others)
    positive = [(n, n + len(first)) for n in range(len(first))]
    pairs = np.array([*positive, *other_pairs], np.int32)
    of_others = grades or [0.0] * len(other_pairs)
    graded = np.array([1.0] * len(first) + of_others, np.float32)
    noise = np.arange(texts, dtype=np.uint32)
    return Rows(first, second, list(others), negatives, own, pairs, graded, noise)


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
        ["甲", "乙"], ["子", "丑"], ["天"], [("甲", "子"), ("乙", "丑", "午")], others=["人", "午"]
    ),
}


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


def test_ranking_that_is_right_costs_little_and_one_that_is_wrong_much() -> None:
    rows = make_rows(["甲"], ["子"], ["天"], [("甲", "子")], [(0, 2), (1, 2)])
    batch = batch_arrays(rows, hard_negatives=1)
    right, wrong = tf.constant([[1.0, 0], [1, 0], [0, 1]]), tf.constant([[1.0, 0], [0, 1], [1, 0]])
    loss = CoSENT(10.0)
    assert float(loss(inputs(right, batch))) == pytest.approx(2 * math.exp(-10), rel=1e-3)
    assert float(loss(inputs(wrong, batch))) == pytest.approx(
        math.log(1 + math.exp(10) + 1), rel=1e-5
    )


def test_distillation_is_the_mean_distance_from_the_teacher_where_it_knows_the_text() -> None:
    rows = ROWS["hard negatives"]
    rng = np.random.default_rng(5)
    embeddings = rng.normal(size=(len(rows.texts), 5)).astype(np.float32)
    batch = batch_arrays(rows)
    teacher = np.zeros((len(batch.column_keys), 5), np.float32)
    known = [0, 2, 3, 6]
    teacher[known] = unit(rng.normal(size=(4, 5)))
    loss = Distillation(3.0)(inputs(tf.constant(embeddings), batch._replace(teacher=teacher)))
    z = unit(embeddings)
    assert float(loss) == pytest.approx(
        3 * np.mean([1 - z[n] @ teacher[n] for n in known]), rel=1e-5
    )


def test_distillation_is_nothing_where_the_student_agrees_or_the_teacher_knows_nothing() -> None:
    rows = ROWS["plain"]
    batch = batch_arrays(rows, hard_negatives=0)
    z = np.random.default_rng(6).normal(size=(len(rows.texts), 4)).astype(np.float32)
    agreeing = inputs(tf.constant(z), batch._replace(teacher=unit(z)))
    assert float(Distillation(3.0)(agreeing)) == pytest.approx(0, abs=1e-6)
    nothing = inputs(tf.constant(z), batch._replace(teacher=np.zeros_like(z)))
    assert float(Distillation(3.0)(nothing)) == 0


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


def test_a_recipe_names_the_loss_and_adds_cosent() -> None:
    batch = batch_of(None)
    z = tf.constant(np.random.default_rng(1).normal(size=(len(batch.positions), 4)), tf.float32)

    def value(**settings) -> float:
        return float(build_loss(Loss(hard_negatives=2, **settings))(inputs(z, batch)))

    alone, ranking = value(scale=15), value(name="cosent", ranking_scale=7)
    assert alone == pytest.approx(float(Contrastive(15)(inputs(z, batch))))
    assert ranking == pytest.approx(float(CoSENT(7)(inputs(z, batch))))
    both = value(scale=15, ranking=0.25, ranking_scale=7)
    assert both == pytest.approx(alone + 0.25 * ranking, rel=1e-6)
    teacher = np.random.default_rng(2).normal(size=(len(batch.column_keys), 4)).astype(np.float32)
    batch = batch._replace(teacher=teacher)
    taught = float(Distillation(15)(inputs(z, batch)))
    three = value(scale=15, ranking=0.25, ranking_scale=7, distillation=2)
    assert three == pytest.approx(alone + 0.25 * ranking + 2 * taught, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "contrastiv"}, "no loss 'contrastiv'; did you mean contrastive?"),
        ({"options": {"margin": 1}}, "loss.options.margin: the loss contrastive has no options"),
        ({"name": "cosent", "options": {"a": 1}}, "loss.options.a: the loss cosent has no options"),
    ],
)
def test_a_loss_that_is_not_there_or_does_not_know_an_option_is_refused(settings, message) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        build_loss(Loss(**settings))


def test_a_loss_of_a_users_own_trains_and_its_name_does_not_hinder_loading(tmp_path) -> None:
    class Alignment:
        def __call__(self, inputs: LossInputs) -> tf.Tensor:
            return inputs.mean(tf.reduce_sum((inputs.first - inputs.second) ** 2, axis=1))

    recipe = with_settings(load_recipe("fast", TINY), {"loss.name": "Alignment"})
    run = RunFolder(tmp_path / "run")
    run.start(recipe, {"hash": "tests"}, fresh=True)
    parts = Parts(loss=Alignment())
    fit(LocalContext(run), recipe, DATA, PAIRS, prepare(recipe, DATA, PAIRS), parts)
    losses = [line["loss"] for line in run.read_log() if line["event"] == "evaluation"]
    assert losses[-1] < losses[0] < 2
    assert SentenceEncoder.load(run.best).recipe.loss.name == "Alignment"


def test_options_are_the_defaults_with_what_the_recipe_says() -> None:
    defaults = {"margin": 0.2, "hardest": True}
    assert read_options(Loss(options={"margin": 1}), defaults) == {"margin": 1, "hardest": True}
    with pytest.raises(UserError, match=r"loss\.options\.margn: .*did you mean margin\?"):
        read_options(Loss(options={"margn": 1}), defaults)
    for wrong in ({"margin": "wide"}, {"hardest": 1}, {"margin": True}):
        with pytest.raises(UserError, match="expected one like"):
            read_options(Loss(options=wrong), defaults)
