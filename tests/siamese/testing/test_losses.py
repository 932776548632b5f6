"""The laws of losses: ours pass, a user's passes, and each law catches what breaks it."""

import re

import pytest
from broken_laws import broken

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.testing import LawBroken, check_loss, laws, losses, tiny
from siamese.training.loss import Loss, LossInputs, build_loss, excluded_columns, read_options


def broken_by_loss(build, settings=recipe.Loss(name="own")) -> set[str]:  # noqa: B008
    laws_of_losses = (
        losses.workers_equal_one,
        losses.micro_batches_equal_whole,
        losses.padding_and_order_change_nothing,
        losses.resumed_equals_unbroken,
        losses.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(build, settings) for law in laws_of_losses))


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 15},
        {"name": "distillation"},
        {"scale": 15, "hard_negatives": 3, "ranking": 1, "distillation": 20},
        {"name": "cosent", "ranking_scale": 7, "hard_negatives": 1},
        {"ranking": 0.5, "hard_negatives": 1},
    ],
    ids=["contrastive", "distillation", "all three", "cosent", "both"],
)
def test_our_losses_keep_all_laws(settings) -> None:
    check_loss(build_loss, recipe.Loss(**settings))


@pytest.mark.parametrize("at_once", [2, 4])
def test_a_ranking_of_a_few_groups_at_a_time_keeps_all_but_that_of_order(at_once) -> None:
    settings = recipe.Loss(ranking=1, ranking_groups=at_once, hard_negatives=1)
    losses.workers_equal_one(build_loss, settings)
    losses.micro_batches_equal_whole(build_loss, settings)
    losses.resumed_equals_unbroken(build_loss, settings)
    losses.saved_equals_loaded(build_loss, settings)
    with pytest.raises(LawBroken, match="order"):  # which groups are ranked together
        losses.padding_and_order_change_nothing(build_loss, settings)


@pytest.mark.parametrize("groups_at_once", [1, 5])
def test_the_contrastive_loss_keeps_them_in_slices(groups_at_once, monkeypatch) -> None:
    at_once = groups_at_once * 2 * len(tiny.make_share().batch.column_keys)
    monkeypatch.setattr("siamese.training.losses.contrastive.COMPARED_AT_ONCE", at_once)
    losses.workers_equal_one(build_loss)
    losses.padding_and_order_change_nothing(build_loss)


class Triplet:
    """Every text nearer to its partner than to any text of another group, by a margin."""

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        columns = inputs.columns()
        near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
        excluded = inputs.excluded(columns)

        def far(rows: tf.Tensor) -> tf.Tensor:
            cosines = tf.matmul(rows, columns.unit, transpose_b=True)
            return tf.reduce_max(tf.where(excluded, -1.0, cosines), axis=1)

        wrong = tf.stack([far(inputs.first), far(inputs.second)])
        return inputs.mean(tf.nn.relu(self.margin + wrong - near))


def build_triplet(settings: recipe.Loss) -> Triplet:
    return Triplet(**read_options(settings, {"margin": 0.1}))


def test_a_loss_of_twenty_lines_keeps_all_laws() -> None:
    check_loss(build_triplet, recipe.Loss(name="triplet", options={"margin": 0.3}))


class OwnMean(Triplet):
    """Divides by the local rows."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        return super().__call__(inputs) * inputs.replicas


class OwnColumns(Triplet):
    """Never sees the columns of other workers."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        own = inputs.columns().own
        keys = (inputs.own_groups, inputs.own_keys, inputs.column_keys)
        excluded = excluded_columns(*keys, inputs.groups)
        cosines = tf.matmul(inputs.first, own, transpose_b=True)
        far = tf.reduce_max(tf.where(excluded, -1.0, cosines), axis=1)
        near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
        return inputs.mean(tf.nn.relu(self.margin + far - near))


class EarlyRowsFirst(Triplet):
    """Weighs rows by their position."""

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        apart = tf.reduce_sum((inputs.first - inputs.second) ** 2, axis=1)
        return inputs.mean(apart / tf.range(1.0, tf.cast(tf.size(apart) + 1, tf.float32)))


class Annealed(Triplet):
    """Counts its own calls."""

    calls = 0

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        self.calls += 1
        return super().__call__(inputs) / self.calls


def build_forgetful(settings: recipe.Loss) -> Loss:
    """Takes its setting out of the recipe."""
    return Triplet(settings.options.pop("margin", 1.0))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda settings: OwnMean(0.3), {laws.WORKERS}),
        (lambda settings: OwnColumns(0.3), {laws.WORKERS}),
        (lambda settings: EarlyRowsFirst(0.3), {laws.ORDER, laws.WORKERS}),
        (lambda settings: Annealed(0.3), {laws.RESUMED}),
    ],
    ids=["own mean", "own columns", "by position", "counts its calls"],
)
def test_a_broken_loss_is_caught_by_the_laws_that_it_breaks(build, expected) -> None:
    assert broken_by_loss(build) == expected
    with pytest.raises(LawBroken):
        check_loss(build)


def test_a_loss_that_takes_a_setting_out_of_the_recipe_is_caught() -> None:
    settings = recipe.Loss(name="forgetful", options={"margin": 0.3})
    assert broken(lambda: losses.saved_equals_loaded(build_forgetful, settings)) == {laws.SAVED}


def test_what_is_wrong_is_told_in_numbers() -> None:
    with pytest.raises(LawBroken, match=r"`N workers = 1` is broken: .* of 2 workers") as error:
        losses.workers_equal_one(lambda settings: OwnMean(0.3))
    found, expected = re.search(r" is (\S+), not (\S+)$", str(error.value)).groups()
    assert float(found) == pytest.approx(2 * float(expected), rel=1e-5)


def test_replicas_that_gather_unequally_often_are_caught() -> None:
    class FirstOnly(Triplet):
        def __call__(self, inputs: LossInputs) -> tf.Tensor:
            values = inputs.first if inputs.replica else inputs.gather(inputs.first)
            return inputs.mean(values)

    with pytest.raises(LawBroken, match="1 of 2 workers gather 1 times"):
        losses.workers_equal_one(lambda settings: FirstOnly(0.3))


def test_a_loss_that_nothing_depends_on_cannot_be_checked() -> None:
    with pytest.raises(ValueError, match="nothing to check"):
        check_loss(lambda settings: lambda inputs: tf.constant(1.0))
