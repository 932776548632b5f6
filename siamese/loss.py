"""The in-batch contrastive loss, over the rows of all replicas.

Each row's embedding is compared with every column: the rows of the batch and the hard negatives, of
all replicas. Its partner is the right answer and everything else a wrong one, by a softmax over the
scaled cosines (the notebook's `compute_loss_of_similarity`; InfoNCE, van den Oord et al., 2018).
Left out of a row's columns are the row itself and every other text of its own group.
"""

from siamese.backend import tf


def excluded_columns(
    own_groups: tf.Tensor, own_keys: tf.Tensor, column_keys: tf.Tensor, groups: tf.Tensor
) -> tf.Tensor:
    """Which columns hold a text of which group.

    Args:
        own_groups: the group of each of the groups' texts, int32 `[N]`.
        own_keys: the hash of each of those texts, int64 `[N]`.
        column_keys: the hash of each column's text, int64 `[columns]`.
        groups: the number of groups.

    Returns:
        bool `[groups, columns]`.
    """
    same = tf.cast(own_keys[:, None] == column_keys[None, :], tf.int32)
    return tf.math.unsorted_segment_sum(same, own_groups, groups) > 0


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
    text_keys: tf.Tensor,
    own_groups: tf.Tensor,
    own_keys: tf.Tensor,
    groups: tf.Tensor,
    scale: float,
) -> tf.Tensor:
    """This replica's part of the mean loss over the global batch.

    Called in a replica context; the parts of all replicas add up to the mean, and so do their
    gradients. Replicas hold the same number of groups and of rows.

    Args:
        embeddings: of this replica's rows `[2 groups + hard negatives, dim]`, in the order of
            `sampling.Rows`.
        text_keys: the hash of each row's text, int64 `[2 groups + hard negatives]`.
        own_groups: the group of each of the groups' texts, int32 `[N]`.
        own_keys: the hash of each of those texts, int64 `[N]`.
        groups: this replica's number of groups.
        scale: multiplies the cosines.

    Returns:
        A scalar.
    """
    replica = tf.distribute.get_replica_context()
    local = tf.math.l2_normalize(embeddings, axis=1, epsilon=1e-12)
    columns = replica.all_gather(local, axis=0)
    column_keys = replica.all_gather(text_keys, axis=0)
    offset = replica.replica_id_in_sync_group * tf.shape(local)[0]
    pairs = 2 * groups
    positives = offset + (tf.range(pairs) + groups) % pairs
    excluded = excluded_columns(own_groups, own_keys, column_keys, groups)
    losses = contrastive_loss(local[:pairs], columns, positives, tf.tile(excluded, [2, 1]), scale)
    return tf.reduce_sum(losses) / tf.cast(pairs * replica.num_replicas_in_sync, losses.dtype)
