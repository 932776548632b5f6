"""CoSENT: labelled negatives rank below positives."""

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.training.loss import LossInputs, read_options

# The logit of a pair that is not there: its exponential is 0, and so is its gradient.
_NONE = -1e9


class CoSENT:
    """Ranks the batch's positive pairs above its labelled negative ones.

    `log(1 + sum exp(scale * (negative - positive)))` over all pairs of a negative pair's cosine and
    a positive pair's, of all replicas. The sum is the product of two, so that it takes no matrix.
    Positive are the two texts of a group. A batch without labelled negatives has a loss of 0.

    Data: labelled pairs, or groups with labelled negatives (`loss.hard_negatives` draws them).
    Goes well with: the contrastive loss, which also learns from unlabelled texts
    (`loss: {name: contrastive, ranking: 1}`); alone it only ranks.
    Source: CoSENT (Su, 2022).

    Args:
        scale: multiplies the cosines.

    Example: alone, in a recipe, and from Python.
        loss: {name: cosent, ranking_scale: 20, hard_negatives: 1}

        >>> siamese.train(groups, dev, loss={"name": "cosent", "hard_negatives": 1, "ranking": 0})
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        """Compute this replica's part: all replicas compute the whole and take an equal share."""
        unit, groups = inputs.unit, inputs.groups
        near = tf.reduce_sum(unit[:groups] * unit[groups : 2 * groups], axis=1)
        one, other = tf.unstack(tf.gather(unit, tf.maximum(inputs.negative_pairs, 0)), axis=1)
        far = tf.reduce_sum(one * other, axis=1)
        far_logits = tf.where(inputs.negative_pairs[:, 0] >= 0, self._scale * far, _NONE)
        # One more that is not there: replicas that have none at all could not gather them.
        far_logits = tf.pad(far_logits, [[0, 1]], constant_values=_NONE)
        far_sum = tf.reduce_logsumexp(inputs.gather(far_logits))
        near_sum = tf.reduce_logsumexp(inputs.gather(-self._scale * near))
        return tf.nn.softplus(far_sum + near_sum) / tf.cast(inputs.replicas, tf.float32)


def build(settings: recipe.Loss) -> CoSENT:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return CoSENT(settings.ranking_scale)
