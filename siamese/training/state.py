"""The state of a run: its model, its optimizer, and where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from siamese.config.recipe import Recipe
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_embed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from siamese.training.loss import Loss, build_loss
from siamese.training.losses.distillation import Distillation
from siamese.training.optimizer import build_optimizer
from siamese.training.preparation import Prepared
from siamese.training.step import TrainStep, build_train_step


@dataclass
class TrainingState:
    """What training changes, and what takes a step.

    Attributes:
        model: without dropout; holds the weights.
        optimizer: built for them.
        train_step: takes this worker's share of a batch, returns its part of the mean loss.
        teacher_step: the same for `training.teacher_epochs`, whose loss is the distillation alone.
        encoder: judges and saves the weights; its `refresh` takes up those of the model.
        at: where the run stands.
        origin: names the model that the run goes on from, if it does.
    """

    model: keras.Model
    optimizer: keras.optimizers.Optimizer
    train_step: TrainStep
    teacher_step: TrainStep
    encoder: SentenceEncoder
    at: Progress
    origin: Mapping[str, str]

    def save(self, folder: Path) -> None:
        """Write a checkpoint; see `save_checkpoint`."""
        save_checkpoint(folder, self.model, self.optimizer, self.at)

    def load(self, folder: Path) -> None:
        """Take up a checkpoint; see `load_checkpoint`."""
        self.at = load_checkpoint(folder, self.model, self.optimizer)


def build_state(
    strategy: tf.distribute.Strategy,
    recipe: Recipe,
    prepared: Prepared,
    loss: Loss | None,
    total_steps: int,
) -> TrainingState:
    """Build the state that a run begins in.

    Its weights are those of the model that it goes on from, or random by the recipe's seed.

    Args:
        strategy: how the workers are connected.
        recipe: every setting.
        prepared: the vocabulary, and the weights or the embeddings to begin with.
        loss: what a step minimises; None: the recipe's.
        total_steps: of the whole run.
    """
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        model, model_with_dropout = build_encoder(recipe.encoder, prepared.embeddings)
        if prepared.weights:
            model.set_weights(prepared.weights.flat())
        settings = recipe.optimizer.at_batch(recipe.sampling.batch_groups)
        optimizer = build_optimizer(settings, total_steps)
        optimizer.build(model.trainable_variables)
    embed = build_embed(model_with_dropout, recipe.encoder)
    train_step, teacher_step = (
        build_train_step(
            strategy,
            embed,
            model.trainable_variables,
            optimizer,
            each,
            cached=recipe.sampling.micro_batch_groups is not None,
        )
        for each in (loss or build_loss(recipe.loss), Distillation(recipe.loss.scale))
    )
    encoder = SentenceEncoder.of_model(model, prepared.vocabulary, recipe)
    return TrainingState(
        model, optimizer, train_step, teacher_step, encoder, Progress(), prepared.origin
    )
