"""CoSENT: labelled pairs rank by their grade."""

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.training.loss import LossInputs, read_options

# The logit of a pair that is not there: its exponential is 0, and so is its gradient.
_NONE = -1e9


class CoSENT:
    """Ranks the batch's labelled pairs by their grade: positive pairs above negative ones.

    `log(1 + sum exp(scale * (lower - higher)))` over all pairs of two pairs' cosines of which the
    one has a lower grade than the other, of all replicas. Positive pairs are the two texts of a
    group. The sum is taken in the order of the grades, so that it takes no matrix. A batch whose
    pairs are all of one grade has a loss of 0.

    Data: labelled or graded pairs, or groups with labelled negatives (`loss.hard_negatives` draws
    them).
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
        gather = inputs.gather_shares or inputs.gather
        one, other = tf.unstack(tf.gather(inputs.unit, tf.maximum(inputs.pairs, 0)), axis=1)
        # Scaled here, so that the gradient of `all_gather` gets a tensor: that of `tf.gather` is
        # sparse, which it cannot take.
        logits = self._scale * gather(tf.reduce_sum(one * other, axis=1))
        grades = gather(tf.where(inputs.pairs[:, 0] >= 0, inputs.grades, -1.0))
        order = tf.argsort(grades, stable=True)
        grades = tf.gather(grades, order)
        is_pair = grades >= 0
        logits = tf.gather(logits, order)
        lower = tf.where(is_pair, logits, _NONE)
        # How many pairs have a lower grade, and the logarithm of the sum of their exponentials.
        count = tf.searchsorted(grades, grades, side="left")
        sums = tf.pad(tf.math.cumulative_logsumexp(lower), [[1, 0]], constant_values=_NONE)
        over = tf.where(is_pair, tf.gather(sums, count) - logits, _NONE)
        return tf.nn.softplus(tf.reduce_logsumexp(over)) / tf.cast(inputs.replicas, tf.float32)


def build(settings: recipe.Loss) -> CoSENT:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return CoSENT(settings.ranking_scale)
