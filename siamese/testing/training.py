"""Steps of training with a loss and an encoder, for the laws of both."""

from collections.abc import Callable, Sequence

import numpy as np

from siamese.encoder.bilstm_tf import Embed
from siamese.encoder.keras_tf import keras, tf
from siamese.testing.laws import MICRO_BATCHES, RESUMED, require_same
from siamese.testing.tiny import GROUPS, Encoder, Share, make_share
from siamese.training.loss import Loss, LossInputs
from siamese.training.step import build_train_step

# What float32 rounds, as a share of the largest number.
ROUNDING = 2e-5
STEPS = 3
# Every object of a law is traced anew, which TensorFlow would warn of.
tf.get_logger().addFilter(
    lambda record: "triggered tf.function retracing" not in record.getMessage()
)
_SIGNATURE = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.uint32)]


def inputs_of(embeddings: tf.Tensor, share: Share) -> LossInputs:
    """Make the inputs of an only replica."""
    return LossInputs(embeddings, *map(tf.constant, share.batch[3:]))


def traced(encoder: Encoder) -> Embed:
    """Trace an encoder as training does: some work in a graph only."""
    function: Embed = tf.function(encoder.embed, _SIGNATURE, autograph=False)
    return function


def micro_batches_equal_whole(
    make_encoder: Callable[[], Encoder], make_loss: Callable[[], Loss]
) -> None:
    """Require of a training step that gradient caching finds the plain step's loss and gradients.

    Raises:
        LawBroken: it does not.
    """
    found = []
    for micro in (None, 7):
        encoder = make_encoder()
        optimizer = keras.optimizers.SGD(1.0)  # so that what weights lose is the gradient
        optimizer.build(encoder.variables)
        strategy = tf.distribute.get_strategy()
        step = build_train_step(
            strategy, *encoder, optimizer, make_loss(), cached=micro is not None
        )
        before = values_of(encoder.variables)
        loss = step(make_share(micro=micro).batch)
        after = values_of(encoder.variables)
        gradients = {f"gradient of {n}": before[n] - after[n] for n in before}
        found.append({"loss": np.array(loss), **gradients})
    whole, cached = found
    require_same(MICRO_BATCHES, cached, whole, ROUNDING)


def resumed_equals_unbroken(
    make_encoder: Callable[[], Encoder], make_loss: Callable[[], Loss]
) -> None:
    """Require that a run which is stopped after any step and resumed ends with the same weights.

    What resumes it are fresh objects, given the weights and the optimizer's state.

    Raises:
        LawBroken: it ends with others; bit for bit.
    """
    unbroken = _train(make_encoder, make_loss, [STEPS])
    for stop in range(1, STEPS):
        resumed = _train(make_encoder, make_loss, [stop, STEPS])
        named = {f"{name} (stopped after step {stop})": v for name, v in resumed.items()}
        expected = dict(zip(named, unbroken.values(), strict=True))
        require_same(RESUMED, named, expected)


def _train(
    make_encoder: Callable[[], Encoder], make_loss: Callable[[], Loss], stops: Sequence[int]
) -> dict[str, np.ndarray]:
    """Train by Adam, with fresh objects after each stop; returns the weights."""
    state: list[np.ndarray] = []
    step = 0
    for stop in stops:
        encoder, loss = make_encoder(), make_loss()
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(encoder.variables)
        embed = traced(encoder)
        both = [*encoder.variables, *optimizer.variables]
        for variable, value in zip(both, state, strict=False):
            variable.assign(value)
        for step in range(step, stop):  # noqa: B020
            share = make_share(np.roll(range(GROUPS), step).tolist()[:-2])
            [ids], [noise], positions, *_ = share.batch
            with tf.GradientTape() as tape:
                embeddings = embed(ids, noise)
                value = loss(inputs_of(tf.gather(embeddings, positions), share))
            gradients = tape.gradient(value, encoder.variables)
            optimizer.apply(list(map(tf.convert_to_tensor, gradients)), encoder.variables)
        step = stop
        state = [variable.numpy() for variable in both]
    return values_of(encoder.variables)


def values_of(variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    """Copy the values of variables, by a number and their name."""
    return {f"variable {n} ({v.name})": np.array(v) for n, v in enumerate(variables)}
