"""One step of training: plain, or with gradient caching for batches that memory cannot hold."""

from collections.abc import Callable, Sequence

from siamese.config.recipe import Loss
from siamese.data.batching import Batch
from siamese.encoder.bilstm_tf import Embed
from siamese.encoder.keras_tf import keras, tf
from siamese.training.losses.contrastive import (
    among,
    batch_loss,
    contrastive_loss,
    excluded_columns,
    unit_columns,
)
from siamese.training.losses.cosent import ranking_loss

# Takes one worker's share of a batch, returns its part of the mean loss, a scalar.
TrainStep = Callable[[Batch], tf.Tensor]

_IDS = tf.TensorSpec([None, None], tf.int32)
_NOISE = tf.TensorSpec([None], tf.uint32)
_KEYS = (
    tf.TensorSpec([None], tf.int64),  # column_keys
    tf.TensorSpec([None], tf.int32),  # own_groups
    tf.TensorSpec([None], tf.int64),  # own_keys
    tf.TensorSpec([None, 2], tf.int32),  # negative_pairs
)
# Rows times columns that the loss of gradient caching compares at once: 16 MiB a matrix.
COMPARED_AT_ONCE = 1 << 22
_EMBEDDINGS = tf.TensorSpec([None, None], tf.float32)


def build_plain_step(
    strategy: tf.distribute.Strategy,
    embed: Embed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    recipe: Loss,
) -> TrainStep:
    """Build the step that holds a whole batch in memory.

    Args:
        strategy: in whose scope the model and the optimizer were built.
        embed: of the model with dropout (`packed.build_embed`).
        variables: what is trained.
        optimizer: built for them.
        recipe: the recipe's section.
    """

    def replica_step(
        ids: tf.Tensor,
        noise: tf.Tensor,
        places: tf.Tensor,
        column_keys: tf.Tensor,
        own_groups: tf.Tensor,
        own_keys: tf.Tensor,
        negative_pairs: tf.Tensor,
    ) -> tf.Tensor:
        with tf.GradientTape() as tape:
            embeddings = tf.gather(embed(ids, noise), places)
            loss = batch_loss(embeddings, column_keys, own_groups, own_keys, recipe.scale)
            if recipe.ranking:
                loss += recipe.ranking * ranking_loss(
                    embeddings, own_groups[-1] + 1, negative_pairs, recipe.ranking_scale
                )
        optimizer.apply(_dense(tape.gradient(loss, variables)), variables)
        return loss

    @tf.function(input_signature=[_IDS, _NOISE, tf.TensorSpec([None], tf.int32), *_KEYS])
    def train_step(*batch: tf.Tensor) -> tf.Tensor:
        return strategy.run(replica_step, batch)

    def step(batch: Batch) -> tf.Tensor:
        [ids], [noise], *others = batch
        return train_step(ids, noise, *others)

    return step


def build_cached_step(
    strategy: tf.distribute.Strategy,
    embed: Embed,
    variables: Sequence[keras.Variable],
    optimizer: keras.optimizers.Optimizer,
    recipe: Loss,
) -> TrainStep:
    """Build the step that holds one micro-batch in memory (gradient caching, Gao et al., 2021).

    Every micro-batch, a part of the `Batch`, is encoded without keeping what its gradient needs;
    the gradient of the loss with respect to the embeddings is taken; then every micro-batch is
    encoded again, now with that gradient to carry back. The sum is the plain step's gradient:
    `RowDropout` drops the same both times.

    Args:
        strategy: in whose scope the model and the optimizer were built; one replica a worker.
        embed: of the model with dropout (`packed.build_embed`).
        variables: what is trained.
        optimizer: built for them.
        recipe: the recipe's section.
    """
    encode = tf.function(embed, input_signature=[_IDS, _NOISE])

    @tf.function(input_signature=[_IDS, _NOISE, _EMBEDDINGS])
    def carry_back(ids: tf.Tensor, noise: tf.Tensor, gradient: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            embeddings = embed(ids, noise)
        return _dense(tape.gradient(embeddings, variables, output_gradients=gradient))

    def replica_gradient(embeddings: tf.Tensor, *keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        column_keys, own_groups, own_keys, negative_pairs = keys
        loss, gradient = batch_loss_gradient(
            embeddings, column_keys, own_groups, own_keys, recipe.scale
        )
        if not recipe.ranking:
            return loss, gradient
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            ranking = recipe.ranking * ranking_loss(
                embeddings, own_groups[-1] + 1, negative_pairs, recipe.ranking_scale
            )
        return loss + ranking, gradient + tape.gradient(ranking, embeddings)

    @tf.function(input_signature=[_EMBEDDINGS, *_KEYS])
    def loss_gradient(*arrays: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return strategy.run(replica_gradient, arrays)

    @tf.function
    def apply(gradients: list[tf.Tensor]) -> None:
        # An argument has no device, which a reduction asks for.
        strategy.run(lambda: optimizer.apply(list(map(tf.identity, gradients)), variables))

    def train_step(batch: Batch) -> tf.Tensor:
        parts = list(zip(batch.micro_batches, batch.noise, strict=True))
        # No name for what is large and needed once.
        loss, gradient = loss_gradient(
            tf.gather(tf.concat([encode(*part) for part in parts], axis=0), batch.positions),
            batch.column_keys,
            batch.own_groups,
            batch.own_keys,
            batch.negative_pairs,
        )
        # From the order of the rows back to that of the parts.
        of_parts = tf.scatter_nd(batch.positions[:, None], gradient, tf.shape(gradient))
        sums = None
        start = 0
        for ids, noise in parts:
            gradients = carry_back(ids, noise, of_parts[start : start + len(ids)])
            sums = gradients if sums is None else list(map(tf.add, sums, gradients))
            start += len(ids)
        apply(sums)
        return loss

    return train_step


def _dense(gradients: list[tf.Tensor | tf.IndexedSlices]) -> list[tf.Tensor]:
    """Gradients as tensors.

    The characters' gradient comes as one row for each character of the batch, padding included:
    for a few thousand characters, many times the whole table, which workers would all send.
    """
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def batch_loss_gradient(
    embeddings: tf.Tensor,
    column_keys: tf.Tensor,
    own_groups: tf.Tensor,
    own_keys: tf.Tensor,
    scale: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """`batch_loss` and its gradient, comparing a few groups' rows with all columns at a time.

    So the comparisons take `COMPARED_AT_ONCE` numbers of memory, where `batch_loss` takes
    `[2 groups, columns of all replicas]`. Called in a replica context; arguments as in
    `batch_loss`.

    Returns:
        This replica's part of the loss, and the gradient of the sum of all replicas' parts with
        respect to this replica's embeddings `[rows, dim]`.
    """
    replica = tf.distribute.get_replica_context()
    with tf.GradientTape() as unit_tape:
        unit_tape.watch(embeddings)
        local = unit_columns(embeddings, column_keys)
    columns = replica.all_gather(local, axis=0)
    all_keys = replica.all_gather(tf.identity(column_keys), axis=0)
    groups = own_groups[-1] + 1
    pairs = 2 * groups
    offset = replica.replica_id_in_sync_group * tf.shape(local)[0]
    rows_in_all = tf.cast(pairs * replica.num_replicas_in_sync, tf.float32)

    own_groups, own_keys = among(own_groups, own_keys, all_keys)
    groups_at_once = tf.maximum(1, COMPARED_AT_ONCE // (2 * tf.shape(columns)[0]))
    loss = tf.constant(0.0)
    of_rows = tf.zeros_like(local)
    of_columns = tf.zeros_like(columns)
    for first in tf.range(0, groups, groups_at_once):
        last = tf.minimum(first + groups_at_once, groups)
        rows = tf.concat([tf.range(first, last), groups + tf.range(first, last)], axis=0)
        texts = (own_groups >= first) & (own_groups < last)
        excluded = excluded_columns(
            own_groups[texts] - first, own_keys[texts], all_keys, last - first
        )
        with tf.GradientTape() as tape:
            compared = tf.gather(local, rows)
            tape.watch([compared, columns])
            losses = contrastive_loss(
                compared,
                columns,
                offset + (rows + groups) % pairs,
                tf.tile(excluded, [2, 1]),
                scale,
            )
            part = tf.reduce_sum(losses) / rows_in_all
        of_compared, of_all = tape.gradient(part, [compared, columns])
        of_rows = tf.tensor_scatter_nd_add(of_rows, rows[:, None], of_compared)
        of_columns += of_all
        loss += part
    of_columns = replica.all_reduce(tf.distribute.ReduceOp.SUM, of_columns)
    of_local = of_rows + of_columns[offset : offset + tf.shape(local)[0]]
    return loss, unit_tape.gradient(local, embeddings, output_gradients=of_local)
