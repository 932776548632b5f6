"""The training loop: one `fit` for this process, a Ray Train worker and a Tune trial."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from siamese.backend import keras, tf
from siamese.batches import Batch, make_batch, part_count
from siamese.checkpoint import Progress, load_checkpoint, save_checkpoint
from siamese.context import Context
from siamese.encoder import build_encoder
from siamese.errors import UserError
from siamese.evaluation import evaluate_scores, labels_of, pair_scores
from siamese.loss import batch_loss
from siamese.model import SentenceEncoder
from siamese.pairs import Pair
from siamese.progress import progress
from siamese.recipe import Optimizer, Recipe
from siamese.sampling import sample_rows, steps_per_epoch
from siamese.training_data import Prepared, TrainingData

# Lines per epoch in the log, and so points per epoch of the loss curve.
LOGGED_PER_EPOCH = 20


def fit(
    context: Context, recipe: Recipe, data: TrainingData, pairs: list[Pair], prepared: Prepared
) -> Progress:
    """Train an encoder, evaluate it after every epoch and keep the best.

    The run folder gets the log, checkpoints and `best/`. A run that has a checkpoint goes on from
    it, and ends with the weights of a run that was never stopped.

    Args:
        context: this worker and its run folder.
        recipe: every setting.
        data: the groups.
        pairs: development pairs; they pick the epoch and, if the recipe says so, the threshold.
        prepared: the vocabulary and the initial embeddings.

    Returns:
        Where the run ended: its last and its best epoch.

    Raises:
        UserError: the loss is no longer a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    steps = steps_per_epoch(recipe.sampling, len(data.groups), data.texts_read)
    model = build_encoder(recipe.encoder, prepared.embeddings)
    optimizer = build_optimizer(recipe.optimizer, steps * recipe.training.epochs)
    optimizer.build(model.trainable_variables)
    parts = part_count(recipe.text, 2 * recipe.sampling.batch_groups // context.world_size)
    train_step = build_train_step(model, optimizer, recipe.loss.scale, parts)
    encoder = SentenceEncoder(model, prepared.vocabulary, recipe)
    events = tf.summary.create_file_writer(str(context.run.tensorboard))

    at = Progress()
    if checkpoint := context.latest_checkpoint():
        at = load_checkpoint(checkpoint, model, optimizer)
    context.run.forget_after(at.step)

    def log(event: str, values: dict[str, Any]) -> None:
        context.run.log({"event": event, "epoch": at.epoch + 1, "step": at.step, **values})
        with events.as_default(at.step):
            for name, value in values.items():
                tf.summary.scalar(f"{event}/{name}", value)

    def batch(step: int) -> Batch:
        rows = sample_rows(
            data.groups,
            recipe.sampling,
            recipe.loss.hard_negatives,
            seed=recipe.seed,
            epoch=at.epoch,
            step=step,
            rank=context.rank,
            world_size=context.world_size,
        )
        return make_batch(rows, prepared.vocabulary, recipe.text)

    patience = recipe.training.patience or recipe.training.epochs
    while at.epoch < recipe.training.epochs and at.epoch - at.best_epoch < patience:
        start = time.perf_counter()
        losses: list[float] = []
        recent: list[tf.Tensor] = []
        log_every = math.ceil(steps / LOGGED_PER_EPOCH)
        title = f"epoch {at.epoch + 1}/{recipe.training.epochs}"
        with progress(title, steps * recipe.sampling.batch_groups, "groups") as advance:
            for step, values in enumerate(_ahead(batch, steps), start=1):
                recent.append(train_step(*values))
                at.step += 1
                if step % log_every == 0 or step == steps:
                    losses += [float(loss) for loss in recent]
                    loss = _checked_mean(losses[-len(recent) :], at)
                    recent.clear()
                    log("train", {"loss": loss, "learning_rate": float(optimizer.learning_rate)})
                advance(recipe.sampling.batch_groups, f"loss {losses[-1]:.3f}" if losses else "")
        trained = time.perf_counter()

        scores = pair_scores(pairs, encoder.encode, recipe.evaluation.similarity)
        metrics = evaluate_scores(scores, labels_of(pairs), recipe.evaluation.threshold)
        metric = getattr(metrics, recipe.evaluation.metric)
        is_best = metric > at.best_metric
        if is_best:
            at.best_metric, at.best_epoch = metric, at.epoch + 1
            encoder.threshold = metrics.threshold
            encoder.metrics = {"epoch": at.epoch + 1, "step": at.step, **metrics.as_dict()}
            encoder.save(context.run.best)
            context.run.write_scores(pairs, scores)
        evaluation = {
            **metrics.as_dict(),
            "loss": float(np.mean(losses)),
            "groups_per_second": steps * recipe.sampling.batch_groups / (trained - start),
            "train_seconds": trained - start,
            "evaluation_seconds": time.perf_counter() - trained,
        }
        log("evaluation", evaluation)
        at.epoch += 1
        context.report(
            {"epoch": at.epoch, "step": at.step, "is_best": is_best, **evaluation},
            lambda folder: save_checkpoint(folder, model, optimizer, at),
        )
    events.close()
    return at


def build_optimizer(recipe: Optimizer, total_steps: int) -> keras.optimizers.Optimizer:
    """Adam with a linear warm-up and a constant or cosine-decaying learning rate.

    Args:
        recipe: the recipe's section.
        total_steps: steps of the whole run.
    """
    warm = recipe.warmup_steps
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warm else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warm else None,
        warmup_steps=warm,
        decay_steps=max(total_steps - warm, 1),
        alpha=1.0 if recipe.decay == "constant" else 0.0,
    )
    return keras.optimizers.Adam(rate)


def build_train_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, scale: float, parts: int
) -> Callable[..., tf.Tensor]:
    """Build the step that takes the arrays of a `Batch` and returns the loss, a scalar.

    Args:
        model: the encoder.
        optimizer: built for its trainable variables.
        scale: of the loss.
        parts: the number of parts of each batch.
    """
    variables = model.trainable_variables

    # A function of its own, so that it is traced once and not for every part.
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def encode(ids: tf.Tensor) -> tf.Tensor:
        return model(ids, training=True)

    @tf.function(
        input_signature=[
            (tf.TensorSpec([None, None], tf.int32),) * parts,
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int64),
        ]
    )
    def train_step(
        parts: tuple[tf.Tensor, ...],
        places: tf.Tensor,
        text_keys: tf.Tensor,
        own_groups: tf.Tensor,
        own_keys: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            encoded = tf.concat([encode(ids) for ids in parts], axis=0)
            embeddings = tf.gather(encoded, places)
            groups = own_groups[-1] + 1
            loss = batch_loss(embeddings, text_keys, own_groups, own_keys, groups, scale)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return train_step


def _ahead(make: Callable[[int], Batch], steps: int) -> Iterator[Batch]:
    """Yield the batches of an epoch; the next one is made while the last one is trained on."""
    with ThreadPoolExecutor(1, "batches") as pool:
        coming = deque(pool.submit(make, step) for step in range(min(2, steps)))
        for step in range(steps):
            values = coming.popleft().result()
            if step + 2 < steps:
                coming.append(pool.submit(make, step + 2))
            yield values


def _checked_mean(losses: list[float], at: Progress) -> float:
    mean = float(np.mean(losses))
    if not math.isfinite(mean):
        raise UserError(
            f"the loss is {mean} at step {at.step} (epoch {at.epoch + 1}): training has diverged. "
            "Lower optimizer.learning_rate or raise optimizer.warmup_steps, and start afresh."
        )
    return mean
