"""The training loop: one `fit` for this process, a Ray Train worker and a Tune trial."""

import math
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.recipe import Recipe
from siamese.data.batching import Batch, make_batch
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows, steps_per_epoch
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_embed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of, pair_scores
from siamese.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from siamese.training.context import Context
from siamese.training.optimizer import build_optimizer
from siamese.training.preparation import Prepared
from siamese.training.step import build_cached_step, build_plain_step

# Lines per epoch in the log, and so points per epoch of the loss curve.
LOGGED_PER_EPOCH = 20
# Texts encoded between two signs of life.
ENCODED_PER_BEAT = 8192


def fit(
    context: Context, recipe: Recipe, data: TrainingData, pairs: list[Pair], prepared: Prepared
) -> Progress:
    """Train an encoder, evaluate it after every epoch and keep the best.

    All workers call it together, each with its context. The run folder gets the log, checkpoints
    and `best/`. A run that has a checkpoint goes on from it, and ends with the weights of a run
    that was never stopped.

    Args:
        context: this worker and its run folder.
        recipe: every setting.
        data: the groups.
        pairs: development pairs; they pick the epoch and, if the recipe says so, the threshold.
        prepared: the vocabulary and the initial embeddings.

    Returns:
        Where the run ended: its last and its best epoch.

    Raises:
        UserError: the loss is no longer a number, or a batch does not fit in memory.
    """
    try:
        return _fit(context, recipe, data, pairs, prepared)
    except (tf.errors.ResourceExhaustedError, tf.errors.InternalError) as error:
        # cuDNN and cuBLAS tell of memory in words of their own.
        words = ("DoRnn", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "OOM")
        exhausted = isinstance(error, tf.errors.ResourceExhaustedError)
        if not exhausted and not any(word in str(error) for word in words):
            raise
        raise UserError(_out_of_memory(recipe, context)) from None


def _fit(
    context: Context, recipe: Recipe, data: TrainingData, pairs: list[Pair], prepared: Prepared
) -> Progress:
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    sampling = recipe.sampling
    # Columns for negatives that no group has would be compared for nothing.
    hard_negatives = recipe.loss.hard_negatives if data.negatives else 0
    steps = steps_per_epoch(data, sampling)
    with context.strategy.scope():
        model, model_with_dropout = build_encoder(recipe.encoder, prepared.embeddings)
        optimizer = build_optimizer(recipe.optimizer, steps * recipe.training.epochs)
        optimizer.build(model.trainable_variables)
    build_step = build_cached_step if sampling.micro_batch_groups else build_plain_step
    train_step = build_step(
        context.strategy,
        build_embed(model_with_dropout, recipe.encoder),
        model.trainable_variables,
        optimizer,
        recipe.loss,
    )
    encoder = SentenceEncoder.of_model(model, prepared.vocabulary, recipe)
    gather = _build_gather(context.strategy)
    is_chief = context.rank == 0
    events = tf.summary.create_file_writer(str(context.run.tensorboard)) if is_chief else None

    at = Progress()
    if checkpoint := context.latest_checkpoint():
        at = load_checkpoint(checkpoint, model, optimizer)
    if is_chief:
        context.run.forget_after(at.step)
        context.run.log(
            {
                "event": "start",
                "epoch": at.epoch + 1,
                "step": at.step,
                "workers": context.world_size,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "gpu_memory_mb": context.memory_mb,
            }
        )

    def log(event: str, values: dict[str, Any]) -> None:
        if events is None:
            return
        context.run.log({"event": event, "epoch": at.epoch + 1, "step": at.step, **values})
        with events.as_default(at.step):
            for name, value in values.items():
                tf.summary.scalar(f"{event}/{name}", value)

    def batch(step: int) -> Batch:
        position = Position(recipe.seed, at.epoch, step, context.rank, context.world_size)
        rows = sample_rows(data, sampling, hard_negatives, position)
        return make_batch(
            rows,
            prepared.vocabulary,
            recipe.text,
            hard_negatives,
            sampling.micro_batch_groups,
        )

    def save(folder: Path) -> None:
        save_checkpoint(folder, model, optimizer, at)

    def train_epoch() -> tuple[float, float]:
        """Take the epoch's steps that are left; its mean loss, and how long it waited for batches.

        The wait is in seconds.
        """
        first = at.step - at.epoch * steps
        waited = 0.0
        recent: list[tf.Tensor] = []
        every = context.execution.checkpoint_steps
        log_every = math.ceil(steps / LOGGED_PER_EPOCH)
        note = ""
        title = f"epoch {at.epoch + 1}/{recipe.training.epochs}"
        with context.progress(title, (steps - first) * sampling.batch_groups, "groups") as advance:
            for step, (values, seconds) in enumerate(_ahead(batch, first, steps), start=first + 1):
                waited += seconds
                recent.append(train_step(values))
                at.step += 1
                context.beat()
                is_due = bool(every) and at.step % (every or 1) == 0
                if is_due or step % log_every == 0 or step == steps:
                    losses = gather(tf.stack(recent)).sum(axis=0)
                    recent.clear()
                    at.epoch_loss += float(losses.sum())
                    loss = _checked(float(losses.mean()), at)
                    note = f"loss {loss:.3f}"
                    log("train", {"loss": loss, "learning_rate": float(optimizer.learning_rate)})
                if is_due and step < steps:
                    context.checkpoint(at.step, save)
                advance(sampling.batch_groups, note)
        mean, at.epoch_loss = at.epoch_loss / steps, 0.0
        return mean, waited

    patience = recipe.training.patience or recipe.training.epochs
    while at.epoch < recipe.training.epochs and at.epoch - at.best_epoch < patience:
        start, before = time.perf_counter(), at.step
        loss, waited = train_epoch()
        trained = time.perf_counter()

        encoder.refresh()
        scores = _scores(context, encoder, pairs, gather)
        metrics = evaluate_scores(scores, labels_of(pairs), recipe.evaluation.threshold)
        metric = getattr(metrics, recipe.evaluation.metric)
        is_best = at.best_metric is None or metric > at.best_metric
        if is_best:
            at.best_metric, at.best_epoch = metric, at.epoch + 1
            encoder.threshold = metrics.threshold
            encoder.metrics = {"epoch": at.epoch + 1, "step": at.step, **metrics.as_dict()}
            if is_chief:
                encoder.save(context.run.best)
                context.run.write_scores(pairs, scores)
        evaluation = {
            **metrics.as_dict(),
            "loss": loss,
            "groups_per_second": (at.step - before) * sampling.batch_groups / (trained - start),
            "train_seconds": trained - start,
            "input_seconds": waited,
            "evaluation_seconds": time.perf_counter() - trained,
        }
        log("evaluation", evaluation)
        at.epoch += 1
        context.checkpoint(at.step, save)
        context.report({"epoch": at.epoch, "step": at.step, "is_best": is_best, **evaluation})
    if events is not None:
        events.close()
        context.run.publish()
    return at


def _build_gather(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], np.ndarray]:
    """A function that brings the workers' arrays of one shape together `[workers, …]`."""

    @tf.function(reduce_retracing=True)
    def gather(values: tf.Tensor) -> tf.Tensor:
        def of_all(mine: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(mine[None], axis=0)

        return strategy.run(of_all, (values,))

    return lambda values: gather(values).numpy()


def _scores(
    context: Context,
    encoder: SentenceEncoder,
    pairs: list[Pair],
    gather: Callable[[tf.Tensor], np.ndarray],
) -> np.ndarray:
    """The similarity of every pair `[pairs]`; each worker computes its share."""
    share = math.ceil(len(pairs) / context.world_size)
    mine = pairs[context.rank * share : (context.rank + 1) * share]
    mine += pairs[:1] * (share - len(mine))  # the last share may be short

    def encode(texts: list[str]) -> np.ndarray:
        slices = []
        for start in range(0, len(texts), ENCODED_PER_BEAT):
            slices.append(encoder.encode(texts[start : start + ENCODED_PER_BEAT]))
            context.beat()
        return np.concatenate(slices)

    scores = pair_scores(mine, encode, encoder.recipe.evaluation.similarity)
    return gather(tf.constant(scores)).ravel()[: len(pairs)]


def _out_of_memory(recipe: Recipe, context: Context) -> str:
    sampling = recipe.sampling
    cap = context.memory_mb
    within = f"the cap of {cap:,} MiB (--gpu-memory-mb {cap})" if cap else "memory"
    lower = (
        f"sampling.micro_batch_groups={sampling.micro_batch_groups}"
        if sampling.micro_batch_groups
        else "sampling.micro_batch_groups, which is not set: 64 holds a batch of any size in the "
        f"memory of 64 groups (sampling.batch_groups={sampling.batch_groups:,} now)"
    )
    return (
        f"a batch does not fit into {within}. Set or lower {lower}; or lower "
        f"text.max_length={recipe.text.max_length} or "
        f"encoder.lstm_units={list(recipe.encoder.lstm_units)}"
        + ("; or raise the cap" if cap else "")
        + ". A run with other settings is a new one: --fresh, or another --run."
    )


def _ahead(make: Callable[[int], Batch], first: int, steps: int) -> Iterator[tuple[Batch, float]]:
    """Yield the batches of an epoch, each with the seconds that it was waited for.

    The next one is made while the last one is trained on.
    """
    with ThreadPoolExecutor(1, "batches") as pool:
        coming = deque(pool.submit(make, step) for step in range(first, min(first + 2, steps)))
        for step in range(first, steps):
            start = time.perf_counter()
            values = coming.popleft().result()
            waited = time.perf_counter() - start
            if step + 2 < steps:
                coming.append(pool.submit(make, step + 2))
            yield values, waited


def _checked(loss: float, at: Progress) -> float:
    if not math.isfinite(loss):
        raise UserError(
            f"the loss is {loss} at step {at.step} (epoch {at.epoch + 1}): training has diverged. "
            "Lower optimizer.learning_rate or raise optimizer.warmup_steps, and start afresh."
        )
    return loss
