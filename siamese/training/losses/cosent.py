"""CoSENT: labelled negatives rank below positives."""

from siamese.encoder.keras_tf import tf

# The logit of a pair that is not there: its exponential is 0, and so is its gradient.
_NONE = -1e9


def ranking_loss(
    embeddings: tf.Tensor, groups: tf.Tensor, negative_pairs: tf.Tensor, scale: float
) -> tf.Tensor:
    """This replica's part of CoSENT's loss over the global batch (Su, 2022).

    `log(1 + sum exp(scale * (negative - positive)))` over all pairs of a negative pair's cosine and
    a positive pair's: labelled negatives should rank below positives. The sum is the product of
    two, so that it takes no matrix. Positive are the two texts of a group.

    Called in a replica context; the parts of all replicas add up to the loss, and so do their
    gradients. A batch without labelled negatives has a loss of 0.

    Args:
        embeddings: as in `batch_loss`.
        groups: the number of groups.
        negative_pairs: as in `batches.Batch`, int32 `[pairs, 2]`.
        scale: multiplies the cosines.

    Returns:
        A scalar.
    """
    replica = tf.distribute.get_replica_context()
    unit = tf.math.l2_normalize(embeddings, axis=1, epsilon=1e-12)
    near = tf.reduce_sum(unit[:groups] * unit[groups : 2 * groups], axis=1)
    one, other = tf.unstack(tf.gather(unit, tf.maximum(negative_pairs, 0)), axis=1)
    far = tf.reduce_sum(one * other, axis=1)
    far_logits = tf.where(negative_pairs[:, 0] >= 0, scale * far, _NONE)
    # One more that is not there: workers that have none at all could not gather them.
    far_logits = tf.pad(far_logits, [[0, 1]], constant_values=_NONE)
    far_sum = tf.reduce_logsumexp(replica.all_gather(far_logits, axis=0))
    near_sum = tf.reduce_logsumexp(replica.all_gather(-scale * near, axis=0))
    return tf.nn.softplus(far_sum + near_sum) / tf.cast(replica.num_replicas_in_sync, tf.float32)
