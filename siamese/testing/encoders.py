"""The laws of an encoder, and of a pooling layer, which is checked inside an encoder."""

from collections.abc import Callable, Sequence

import numpy as np

from siamese.config import recipe
from siamese.encoder.keras_tf import keras, tf
from siamese.testing import tiny, training
from siamese.testing.laws import ORDER, SAVED, WORKERS, require_same
from siamese.testing.training import ROUNDING, values_of
from siamese.training.loss import build_loss

MakeEncoder = Callable[[], tiny.Encoder]
MakeLayer = Callable[[], keras.layers.Layer]


def check_encoder(make: MakeEncoder) -> None:
    """Check an encoder by all laws.

    Args:
        make: makes the encoder, each time with the same weights; ids are below
            `siamese.testing.tiny.CHARACTERS`.

    Raises:
        LawBroken: names the law and the numbers that differ.
    """
    workers_equal_one(make)
    micro_batches_equal_whole(make)
    padding_and_order_change_nothing(make)
    resumed_equals_unbroken(make)
    saved_equals_loaded(make)


def check_pooling(make: MakeLayer) -> None:
    """Check a Keras layer that pools outputs over time, by all laws.

    Args:
        make: makes the layer, which is called with outputs float32 `[batch, time, dim]` and
            `mask`, bool `[batch, time]`; it returns `[batch, dim]`.

    Raises:
        LawBroken: names the law and the numbers that differ.
    """
    check_encoder(lambda: tiny.make_encoder(make))
    layer_saved_equals_loaded(make)


def workers_equal_one(make: MakeEncoder, workers: Sequence[int] = (3,)) -> None:
    """Require that rows shared by N workers have the embeddings and the gradients of one worker's.

    Raises:
        LawBroken: they have others.
    """
    ids, noise = _rows()
    whole = _embeddings_and_gradients([make()], [(ids, noise)])
    for count in workers:
        shares = list(zip(np.array_split(ids, count), np.array_split(noise, count), strict=True))
        found = _embeddings_and_gradients([make() for _ in shares], shares)
        require_same(WORKERS, found, whole, ROUNDING)


def micro_batches_equal_whole(make: MakeEncoder) -> None:
    """Require that gradient caching finds the plain step's loss and gradients.

    It encodes every micro-batch twice, and both times the same rows must have the same dropout.

    Raises:
        LawBroken: it finds others.
    """
    training.micro_batches_equal_whole(make, lambda: build_loss(recipe.Loss()))


def padding_and_order_change_nothing(make: MakeEncoder) -> None:
    """Require the same embeddings and gradients with wider padding and rows in another order.

    Raises:
        LawBroken: they are others.
    """
    ids, noise = _rows()
    plain = _embeddings_and_gradients([make()], [(ids, noise)])
    wide = np.pad(ids, [(0, 0), (0, 5)])
    require_same(ORDER, _embeddings_and_gradients([make()], [(wide, noise)]), plain, ROUNDING)
    order = np.random.default_rng(1).permutation(len(ids))
    found = _embeddings_and_gradients([make()], [(ids[order], noise[order])], np.argsort(order))
    require_same(ORDER, found, plain, ROUNDING)


def resumed_equals_unbroken(make: MakeEncoder) -> None:
    """Require that a run which is stopped and resumed with a fresh encoder ends with its weights.

    Raises:
        LawBroken: it ends with others.
    """
    training.resumed_equals_unbroken(make, lambda: build_loss(recipe.Loss()))


def saved_equals_loaded(make: MakeEncoder) -> None:
    """Require that the values of the variables are all that an encoder needs.

    Raises:
        LawBroken: one that got them does not compute what the one did that they are from.
    """
    ids, noise = _rows()
    encoder, loaded = make(), make()
    for variable in encoder.variables:
        variable.assign_add(np.random.default_rng(3).normal(size=variable.shape) / 10)
    for to, variable in zip(loaded.variables, encoder.variables, strict=True):
        to.assign(variable.numpy())
    found, expected = (_embeddings_and_gradients([e], [(ids, noise)]) for e in (loaded, encoder))
    require_same(SAVED, found, expected)


def layer_saved_equals_loaded(make: MakeLayer) -> None:
    """Require that a layer's settings (`get_config`) and weights are all that it needs.

    Raises:
        LawBroken: a layer made from them does not compute the same.
    """
    rng = np.random.default_rng(4)
    outputs = rng.normal(size=(5, 7, tiny.DIM)).astype(np.float32)
    mask = np.arange(7) < np.array([7, 1, 4, 0, 2])[:, None]
    layer = make()
    layer.build(outputs.shape)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    loaded = type(layer).from_config(layer.get_config())
    loaded.build(outputs.shape)
    loaded.set_weights(layer.get_weights())
    found, expected = ({"pooled": e(outputs, mask=mask).numpy()} for e in (loaded, layer))
    require_same(SAVED, found, expected)


def _rows() -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and the noise of the tiny batch's rows, and of one without characters."""
    [ids], [noise], *_ = tiny.make_share().batch
    return np.pad(ids, [(0, 1), (0, 0)]), np.pad(noise, [(0, 1)])


def _embeddings_and_gradients(
    encoders: Sequence[tiny.Encoder],
    shares: Sequence[tuple[np.ndarray, np.ndarray]],
    order: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Encode shares of rows, and sum up the gradients of one function of all embeddings.

    Args:
        encoders: one for each share.
        shares: ids and noise.
        order: where each row is in the shares; None: as they stand.
    """
    embeddings: list[np.ndarray] = []
    sums: dict[str, np.ndarray] = {}
    total = sum(len(ids) for ids, _ in shares)
    order = np.arange(total) if order is None else order
    start = 0
    for encoder, (ids, noise) in zip(encoders, shares, strict=True):
        rows = np.argsort(order)[start : start + len(ids)]
        start += len(ids)
        embed = training.traced(encoder)
        with tf.GradientTape() as tape:
            found = embed(ids, noise)
            weights = np.random.default_rng(2).normal(size=(total, found.shape[1]))[rows]
            value = tf.reduce_sum(found * tf.constant(weights, tf.float32))
        embeddings.append(found.numpy())
        gradients = tape.gradient(value, encoder.variables)
        for name, gradient in zip(values_of(encoder.variables), gradients, strict=True):
            name = f"gradient of {name}"
            sums[name] = sums.get(name, 0) + tf.convert_to_tensor(gradient).numpy()
    return {"embeddings": np.concatenate(embeddings)[order], **sums}
