"""One step of training: plain, or with gradient caching for batches that memory cannot hold."""

from collections.abc import Callable, Sequence

from siamese.data.batching import Batch
from siamese.encoder.bilstm_tf import Embed
from siamese.encoder.keras_tf import keras, tf
from siamese.training.loss import Loss, replica_inputs

# Takes one worker's share of a batch, returns its part of the mean loss, a scalar.
TrainStep = Callable[[Batch], tf.Tensor]

_IDS = tf.TensorSpec([None, None], tf.int32)
_NOISE = tf.TensorSpec([None], tf.uint32)
_POSITIONS = tf.TensorSpec([None], tf.int32)
_EMBEDDINGS = tf.TensorSpec([None, None], tf.float32)
_KEYS = (
    tf.TensorSpec([None], tf.int64),  # column_keys
    tf.TensorSpec([None], tf.int32),  # own_groups
    tf.TensorSpec([None], tf.int64),  # own_keys
    tf.TensorSpec([None, 2], tf.int32),  # pairs
    tf.TensorSpec([None], tf.float32),  # grades
    tf.TensorSpec([None, None], tf.float32),  # teacher
)


def build_train_step(
    strategy: tf.distribute.Strategy,
    embed: Embed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    loss: Loss,
    cached: bool = False,
) -> TrainStep:
    """Build the step that trains on one batch.

    Args:
        strategy: in whose scope the model and the optimizer were built; one replica a worker.
        embed: of the model with dropout (`siamese.encoder.bilstm_tf.build_embed`).
        variables: what is trained.
        optimizer: built for them.
        loss: see `siamese.training.loss.build_loss`.
        cached: hold one micro-batch in memory at a time (gradient caching), not the whole batch.
    """
    build = _build_cached_step if cached else _build_plain_step
    return build(strategy, embed, variables, optimizer, loss)


def _build_plain_step(
    strategy: tf.distribute.Strategy,
    embed: Embed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    loss: Loss,
) -> TrainStep:
    def replica_step(
        ids: tf.Tensor, noise: tf.Tensor, positions: tf.Tensor, *keys: tf.Tensor
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            embeddings = tf.gather(embed(ids, noise), positions)
            value = loss(replica_inputs(embeddings, *keys))
        optimizer.apply(_dense(tape.gradient(value, variables)), variables)
        return value

    # AutoGraph, of which nothing here has use, doubles the time of tracing, and leaves a file in
    # the temporary folder for each function of a process that is killed.
    @tf.function(autograph=False, input_signature=[_IDS, _NOISE, _POSITIONS, *_KEYS])
    def train_step(*arrays: tf.Tensor) -> tf.Tensor:
        return strategy.run(replica_step, arrays)

    def step(batch: Batch) -> tf.Tensor:
        [ids], [noise], *others = batch
        return train_step(ids, noise, *others)

    return step


def _build_cached_step(
    strategy: tf.distribute.Strategy,
    embed: Embed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    loss: Loss,
) -> TrainStep:
    """Build the step with gradient caching (Gao et al., 2021).

    Every micro-batch of the `Batch` is encoded without keeping what its gradient needs;
    the gradient of the loss with respect to the embeddings is taken; then every micro-batch is
    encoded again, now with that gradient to carry back. The sum is the plain step's gradient:
    `RowDropout` drops the same both times.
    """
    encode = tf.function(embed, [_IDS, _NOISE], autograph=False)

    @tf.function(autograph=False, input_signature=[_IDS, _NOISE, _EMBEDDINGS])
    def carry_back(ids: tf.Tensor, noise: tf.Tensor, gradient: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            embeddings = embed(ids, noise)
        return _dense(tape.gradient(embeddings, variables, output_gradients=gradient))

    def replica_gradient(embeddings: tf.Tensor, *keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(replica_inputs(embeddings, *keys))
        return value, tf.convert_to_tensor(tape.gradient(value, embeddings))

    @tf.function(autograph=False, input_signature=[_EMBEDDINGS, *_KEYS])
    def loss_gradient(*arrays: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return strategy.run(replica_gradient, arrays)

    @tf.function(autograph=False)
    def apply(gradients: list[tf.Tensor]) -> None:
        # An argument has no device, which a reduction asks for.
        strategy.run(lambda: optimizer.apply(list(map(tf.identity, gradients)), variables))

    def step(batch: Batch) -> tf.Tensor:
        micro_batches, noises, positions, *keys = batch
        # The embeddings have no name, so that they are let go as soon as they have been used.
        value, gradient = loss_gradient(
            tf.gather(tf.concat(list(map(encode, micro_batches, noises)), axis=0), positions), *keys
        )
        # From the order of the rows back to that of the micro-batches.
        of_encoded = tf.scatter_nd(positions[:, None], gradient, tf.shape(gradient))
        sums = None
        start = 0
        for ids, noise in zip(micro_batches, noises, strict=True):
            gradients = carry_back(ids, noise, of_encoded[start : start + len(ids)])
            sums = gradients if sums is None else list(map(tf.add, sums, gradients))
            start += len(ids)
        apply(sums)
        return value

    return step


def _dense(gradients: list[tf.Tensor | tf.IndexedSlices]) -> list[tf.Tensor]:
    """Make gradients tensors.

    The characters' gradient comes as one row for each character of the batch, padding included:
    for a few thousand characters, many times the whole table, which workers would all send.
    """
    return [tf.convert_to_tensor(gradient) for gradient in gradients]
