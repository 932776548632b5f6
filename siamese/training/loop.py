"""The training loop: one `fit` for this process, a Ray Train worker and a Tune trial."""

import math
import time
from pathlib import Path

from siamese.config.recipe import Recipe
from siamese.data.batching import Teacher
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.encoder.keras_tf import tf
from siamese.errors import UserError
from siamese.evaluation.calibration import fit_calibrator
from siamese.evaluation.pair_metrics import labels_of
from siamese.training.batches import Batches
from siamese.training.best_model import BEST, write_scores
from siamese.training.checkpoint import Progress
from siamese.training.context import Context, Save
from siamese.training.gather import Gather, build_gather
from siamese.training.judge import Judge, Judgement
from siamese.training.memory_error import explaining_memory_errors
from siamese.training.parts import Parts
from siamese.training.preparation import Prepared
from siamese.training.run_log import RunLog
from siamese.training.state import TrainingState, build_state

# Lines per epoch in the log, and so points per epoch of the loss curve.
LOGGED_PER_EPOCH = 20


def fit(
    context: Context,
    recipe: Recipe,
    data: TrainingData,
    pairs: list[Pair],
    prepared: Prepared,
    parts: Parts | None = None,
    teacher: Teacher | None = None,
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
        parts: a loss, evaluators or trackers of a user's own.
        teacher: knows vectors of some texts; None: there is none.

    Returns:
        Where the run ended: its last and its best epoch.

    Raises:
        UserError: the loss is no longer a number, a batch does not fit in memory, or a part cannot
            be used.
    """
    parts = (parts or Parts()).complete(recipe, context.execution)
    epochs = recipe.training.epochs
    patience = recipe.training.patience or epochs
    place = context.rank, context.world_size
    batches = Batches(recipe, data, prepared.vocabulary, *place, teacher)
    with explaining_memory_errors(recipe, context.memory_mb):
        total_steps = batches.per_epoch * epochs
        state = build_state(context.strategy, recipe, prepared, parts.loss, total_steps)
        gather = build_gather(context.strategy)
        judge = Judge(context, gather, state.encoder, recipe.evaluation, parts.evaluators or ())
        if checkpoint := context.latest_checkpoint():
            state.load(checkpoint)
        at = state.at
        with RunLog(context, recipe, parts.trackers or (), at) as log:
            while at.epoch < epochs and at.epoch - at.best_epoch < patience:
                context.safe_point(at.step)
                trained = _train_epoch(context, recipe, state, batches, gather, log)
                start = time.perf_counter()
                state.encoder.refresh()
                found = judge(pairs)
                is_best = judge.metric.is_better(found.value, at.best_metric)
                save_best = _best_so_far(state, pairs, found) if is_best else None
                seconds = {"evaluation_seconds": time.perf_counter() - start}
                figures = {**found.figures, **trained, **seconds}
                log.write("evaluation", figures)
                at.epoch += 1
                context.checkpoint(at.step, state.save, save_best)
                stands = {"epoch": at.epoch, "step": at.step, "is_best": is_best}
                context.report({**stands, **figures})
    return at


def _train_epoch(
    context: Context,
    recipe: Recipe,
    state: TrainingState,
    batches: Batches,
    gather: Gather,
    log: RunLog,
) -> dict[str, float]:
    """Take the steps that are left of the epoch.

    Returns:
        The mean loss of the whole epoch, and the speed of what was left of it.
    """
    at = state.at
    start, waited = time.perf_counter(), 0.0
    steps, size = batches.per_epoch, recipe.sampling.batch_groups
    first = at.step - at.epoch * steps
    every = context.execution.checkpoint_steps
    log_every = math.ceil(steps / LOGGED_PER_EPOCH)
    follows = at.epoch < recipe.training.teacher_epochs
    take_step = state.teacher_step if follows else state.train_step
    recent: list[tf.Tensor] = []  # each step's part of the loss since the last line in the log
    note = ""
    title = f"epoch {at.epoch + 1}/{recipe.training.epochs}"
    with context.progress(title, (steps - first) * size, "groups") as advance:
        coming = batches.of_epoch(at.epoch, first)
        for step, (batch, seconds) in enumerate(coming, start=first + 1):
            waited += seconds
            recent.append(take_step(batch))
            at.step += 1
            context.heartbeat()
            is_due = every is not None and at.step % every == 0
            if is_due or step % log_every == 0 or step == steps:
                losses = gather(tf.stack(recent)).sum(axis=0)
                recent.clear()
                at.epoch_loss += float(losses.sum())
                loss = _checked(float(losses.mean()), at)
                note = f"loss {loss:.3f}"
                rate = float(state.optimizer.learning_rate)
                log.write("train", {"loss": loss, "learning_rate": rate})
            if is_due and step < steps:
                context.checkpoint(at.step, state.save)
                context.safe_point(at.step)
            advance(size, note)
    mean, at.epoch_loss = at.epoch_loss / steps, 0.0
    trained = time.perf_counter() - start
    return {
        "loss": mean,
        "groups_per_second": (steps - first) * size / trained,
        "train_seconds": trained,
        "input_seconds": waited,
    }


def _best_so_far(state: TrainingState, pairs: list[Pair], found: Judgement) -> Save:
    """Note that the model is the best one so far; returns what saves it, with its scores."""
    at = state.at
    at.best_metric, at.best_epoch = found.value, at.epoch + 1
    encoder = state.encoder
    encoder.threshold = found.threshold
    encoder.calibrator = fit_calibrator(found.scores, labels_of(pairs))
    stands = {"epoch": at.epoch + 1, "step": at.step}
    encoder.metrics = {**stands, **found.figures, **state.origin}

    def save(checkpoint: Path) -> None:
        encoder.save(checkpoint / BEST)
        write_scores(checkpoint, pairs, found.scores)

    return save


def _checked(loss: float, at: Progress) -> float:
    """Return the loss if it is a number."""
    if not math.isfinite(loss):
        raise UserError(
            f"the loss is {loss} at step {at.step} (epoch {at.epoch + 1}): training has diverged. "
            "Lower optimizer.learning_rate or raise optimizer.warmup_steps, and start afresh."
        )
    return loss
