"""The in-batch contrastive loss, over the rows of all replicas.

Each row's embedding is compared with every column: the rows of the batch and the hard negatives, of
all replicas. Its partner is the right answer and everything else a wrong one, by a softmax over the
scaled cosines (the notebook's `compute_loss_of_similarity`; InfoNCE, van den Oord et al., 2018).
Left out of a row's columns are the row itself and every other text of its own group.
"""

from siamese.data.batching import NO_TEXT
from siamese.encoder.keras_tf import tf


def excluded_columns(
    own_groups: tf.Tensor, own_keys: tf.Tensor, column_keys: tf.Tensor, groups: tf.Tensor
) -> tf.Tensor:
    """Which columns hold a text of which group, or no text at all.

    Args:
        own_groups: the group of each of the groups' texts, int32 `[N]`.
        own_keys: the hash of each of those texts, int64 `[N]`.
        column_keys: the hash of each column's text, or `NO_TEXT`, int64 `[columns]`.
        groups: the number of groups.

    Returns:
        bool `[groups, columns]`.
    """
    same = tf.cast(own_keys[:, None] == column_keys[None, :], tf.int32)
    return (tf.math.unsorted_segment_sum(same, own_groups, groups) > 0) | (column_keys == NO_TEXT)


def among(
    own_groups: tf.Tensor, own_keys: tf.Tensor, column_keys: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Those of the groups' texts that some column holds: of a large group, a few.

    Args and what they mean are those of `excluded_columns`.
    """
    ordered = tf.sort(column_keys)
    place = tf.minimum(tf.searchsorted(ordered, own_keys), tf.size(ordered) - 1)
    present = tf.gather(ordered, place) == own_keys
    return tf.boolean_mask(own_groups, present), tf.boolean_mask(own_keys, present)


def contrastive_loss(
    rows: tf.Tensor,
    columns: tf.Tensor,
    positives: tf.Tensor,
    excluded: tf.Tensor,
    scale: float,
) -> tf.Tensor:
    """The loss of each row.

    Args:
        rows: unit embeddings `[rows, dim]`.
        columns: unit embeddings `[columns, dim]`.
        positives: the column of each row's partner, int32 `[rows]`.
        excluded: columns that are no negatives of a row, bool `[rows, columns]`; a row's positive
            takes part whether it is named here or not.
        scale: multiplies the cosines.

    Returns:
        `-log softmax(scale * rows @ columns.T)[positive]` of each row, float32 `[rows]`.
    """
    logits = scale * tf.matmul(rows, columns, transpose_b=True)
    is_positive = tf.one_hot(positives, tf.shape(columns)[0], on_value=True, off_value=False)
    logits = tf.where(excluded & ~is_positive, logits.dtype.min, logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=positives, logits=logits)


def batch_loss(
    embeddings: tf.Tensor,
    column_keys: tf.Tensor,
    own_groups: tf.Tensor,
    own_keys: tf.Tensor,
    scale: float,
) -> tf.Tensor:
    """This replica's part of the mean loss over the global batch.

    Called in a replica context; the parts of all replicas add up to the mean, and so do their
    gradients. Replicas hold the same number of groups and of columns.

    Args:
        embeddings: of this replica's rows `[rows, dim]`, in the order of `sampling.Rows`.
        column_keys: as in `batches.Batch`, int64 `[columns]`.
        own_groups: the group of each of the groups' texts, int32 `[N]`.
        own_keys: the hash of each of those texts, int64 `[N]`.
        scale: multiplies the cosines.

    Returns:
        A scalar.
    """
    replica = tf.distribute.get_replica_context()
    local = unit_columns(embeddings, column_keys)
    columns = replica.all_gather(local, axis=0)
    # An argument has no device, which a gather asks for.
    all_keys = replica.all_gather(tf.identity(column_keys), axis=0)
    groups = own_groups[-1] + 1
    pairs = 2 * groups
    offset = replica.replica_id_in_sync_group * tf.shape(local)[0]
    positives = offset + (tf.range(pairs) + groups) % pairs
    excluded = excluded_columns(*among(own_groups, own_keys, all_keys), all_keys, groups)
    losses = contrastive_loss(local[:pairs], columns, positives, tf.tile(excluded, [2, 1]), scale)
    return tf.reduce_sum(losses) / tf.cast(pairs * replica.num_replicas_in_sync, losses.dtype)


def unit_columns(embeddings: tf.Tensor, column_keys: tf.Tensor) -> tf.Tensor:
    """Embeddings of unit length, and zeros for the columns that have no text `[columns, dim]`."""
    unit = tf.math.l2_normalize(embeddings, axis=1, epsilon=1e-12)
    return tf.pad(unit, [[0, tf.shape(column_keys)[0] - tf.shape(unit)[0]], [0, 0]])
