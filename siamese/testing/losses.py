"""The laws of a loss."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import yaml

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.testing import training
from siamese.testing.laws import ORDER, SAVED, WORKERS, LawBroken, require_same
from siamese.testing.tiny import DIM, GROUPS, ROWS, Share, make_encoder, make_share
from siamese.testing.training import ROUNDING
from siamese.training.loss import Loss, LossInputs

# As in a file of `siamese/training/losses`.
Build = Callable[[recipe.Loss], Loss]
_DEFAULT = recipe.Loss()


def check_loss(build: Build, settings: recipe.Loss = _DEFAULT) -> None:
    """Check a loss by all laws.

    Args:
        build: makes the loss from the recipe's section; called often.
        settings: the section.

    Raises:
        LawBroken: names the law and the numbers that differ.
        ValueError: the loss does not depend on the embeddings, so that nothing can be checked.
    """
    workers_equal_one(build, settings)
    micro_batches_equal_whole(build, settings)
    padding_and_order_change_nothing(build, settings)
    resumed_equals_unbroken(build, settings)
    saved_equals_loaded(build, settings)


def workers_equal_one(
    build: Build, settings: recipe.Loss = _DEFAULT, workers: Sequence[int] = (2, 3)
) -> None:
    """Require that the parts of N workers, and their gradients, add up to those of one.

    Raises:
        LawBroken: they do not.
    """
    one = _loss_and_gradient(build, settings, [make_share()])
    for count in workers:
        size = GROUPS // count
        shares = [make_share(range(r * size, (r + 1) * size)) for r in range(count)]
        several = _loss_and_gradient(build, settings, shares)
        named = {f"{name} of {count} workers": value for name, value in several.items()}
        require_same(WORKERS, named, dict(zip(named, one.values(), strict=True)), ROUNDING)


def micro_batches_equal_whole(build: Build, settings: recipe.Loss = _DEFAULT) -> None:
    """Require that gradient caching finds the plain step's loss and gradients.

    Raises:
        LawBroken: it does not.
    """
    training.micro_batches_equal_whole(make_encoder, lambda: build(settings))


def padding_and_order_change_nothing(build: Build, settings: recipe.Loss = _DEFAULT) -> None:
    """Require the same loss with the groups in another order and with more columns without text.

    Raises:
        LawBroken: it is another, or the gradient is.
    """
    plain = _loss_and_gradient(build, settings, [make_share()])
    order = np.random.default_rng(1).permutation(GROUPS).tolist()
    for share in (make_share(order), make_share(negatives=5)):
        require_same(ORDER, _loss_and_gradient(build, settings, [share]), plain, ROUNDING)


def resumed_equals_unbroken(build: Build, settings: recipe.Loss = _DEFAULT) -> None:
    """Require that a run which is stopped and resumed with a fresh loss ends with the same weights.

    Raises:
        LawBroken: it ends with others.
    """
    training.resumed_equals_unbroken(make_encoder, lambda: build(settings))


def saved_equals_loaded(build: Build, settings: recipe.Loss = _DEFAULT) -> None:
    """Require the same loss from the settings as a recipe stores them once the loss is built.

    Raises:
        LawBroken: it is another.
    """
    loss = build(settings)
    stored = yaml.safe_dump(settings.model_dump(mode="json"))
    loaded = build(recipe.Loss.model_validate(yaml.safe_load(stored)))
    found, expected = (
        _loss_and_gradient(lambda _: each, settings, [make_share()])  # noqa: B023
        for each in (loaded, loss)
    )
    require_same(SAVED, found, expected)


def _loss_and_gradient(
    build: Build, settings: recipe.Loss, shares: Sequence[Share]
) -> dict[str, np.ndarray]:
    """Sum up the parts of simulated replicas, and their gradient by the rows' embeddings."""
    values = np.random.default_rng(2).normal(size=(ROWS, DIM))
    rows = tf.constant(values, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        inputs = [training.inputs_of(tf.gather(rows, share.rows), share) for share in shares]
        loss = tf.add_n(simulate(lambda: build(settings), inputs))
    gradient = tape.gradient(loss, rows, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    gradient = tf.convert_to_tensor(gradient).numpy()
    if not gradient.any():
        raise ValueError("the loss does not depend on the embeddings: there is nothing to check")
    return {"loss": loss.numpy(), "gradient of embeddings": gradient}


class _NotGatheredError(Exception):
    """Ends the pass of a replica at a gather whose other replicas' values are not known yet."""


def simulate(make_loss: Callable[[], Loss], inputs: Sequence[LossInputs]) -> list[tf.Tensor]:
    """Compute the parts of several replicas in one process.

    Every pass runs all replicas up to the first gather that was not reached before; what they hand
    in there is joined and known to the next pass. Under one `GradientTape`, gradients flow through
    the gathers as they do between workers.

    Args:
        make_loss: makes a loss for each replica and pass.
        inputs: of each replica, without a number, a count and a gather.

    Returns:
        Each replica's part.

    Raises:
        LawBroken: some replicas gather more often than others.
    """
    known: list[tf.Tensor] = []
    while True:
        handed_in: list[tf.Tensor] = []
        parts: list[tf.Tensor] = []
        for number, own in enumerate(inputs):
            gather = _gather_of(known, handed_in)
            replica = replace(own, replica=number, replicas=len(inputs), gather=gather)
            with suppress(_NotGatheredError):
                parts.append(make_loss()(replica))
        if not handed_in:
            return parts
        if parts:
            found = f"{len(handed_in)} of {len(inputs)} workers gather {len(known) + 1} times"
            raise LawBroken(WORKERS, f"{found}, the others less often")
        known.append(tf.concat(handed_in, axis=0))


def _gather_of(
    known: Sequence[tf.Tensor], handed_in: list[tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Make the gather of one replica in one pass."""
    calls = iter(known)

    def gather(values: tf.Tensor) -> tf.Tensor:
        for of_all in calls:
            return of_all
        handed_in.append(values)
        raise _NotGatheredError

    return gather
