"""What every loss is given, and how a recipe names one, adds others and sets options."""

import re

import numpy as np
import pytest
from rows_by_hand import inputs
from tiny_batch import batch_of
from tiny_run import DATA, PAIRS, TINY

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe, with_settings
from siamese.config.recipe import Loss
from siamese.encoder.keras_tf import tf
from siamese.errors import UserError
from siamese.training.context import LocalContext
from siamese.training.loop import fit
from siamese.training.loss import LossInputs, build_loss, excluded_columns, read_options
from siamese.training.losses.contrastive import Contrastive
from siamese.training.losses.cosent import CoSENT
from siamese.training.losses.distillation import Distillation
from siamese.training.parts import Parts
from siamese.training.preparation import prepare
from siamese.training.run_folder import RunFolder


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
