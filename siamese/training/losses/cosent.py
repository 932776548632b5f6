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

    With `groups_at_once`, the pairs of so many groups are ranked among themselves, and the loss is
    the mean: a batch of any size is ranked as several small ones. The larger a sum of exponentials,
    the more it is its largest term alone, and that is often a wrong label. Which groups are ranked
    together then depends on their order in the batch.

    Data: labelled or graded pairs, or groups with labelled negatives (`loss.hard_negatives` draws
    them).
    Goes well with: the contrastive loss, which also learns from unlabelled texts
    (`loss: {name: contrastive, ranking: 1}`); alone it only ranks.
    Source: CoSENT (Su, 2022).

    Args:
        scale: multiplies the cosines.
        groups_at_once: whose pairs are ranked among themselves; None: those of the whole batch.

    Example: alone, in a recipe, and from Python.
        loss: {name: cosent, ranking_scale: 20, hard_negatives: 1}

        >>> siamese.train(groups, dev, loss={"name": "cosent", "hard_negatives": 1, "ranking": 0})
    """

    def __init__(self, scale: float, groups_at_once: int | None = None) -> None:
        self._scale = scale
        self._groups_at_once = groups_at_once

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        """Compute this replica's part: all replicas compute the whole and take an equal share."""
        pairs = inputs.labelled_pairs()
        logits, grades = self._scale * pairs.cosines, pairs.grades
        if self._groups_at_once is None:
            logits, grades = logits[None], grades[None]
        else:
            logits, grades = _in_blocks(pairs.groups // self._groups_at_once, logits, grades)
        return tf.reduce_mean(_ranked(logits, grades)) / tf.cast(inputs.replicas, tf.float32)


def _in_blocks(
    block: tf.Tensor, logits: tf.Tensor, grades: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Put the pairs of each block into a row.

    Args:
        block: of each pair, int32 `[pairs]`.
        logits: float32 `[pairs]`.
        grades: float32 `[pairs]`.

    Returns:
        The logits and the grades, `[blocks, most pairs of a block]`, with grades of -1 at the end
        of the shorter ones.
    """
    order = tf.argsort(block, stable=True)
    rows = tf.RaggedTensor.from_value_rowids(tf.gather(logits, order), tf.gather(block, order))
    return rows.to_tensor(), rows.with_values(tf.gather(grades, order)).to_tensor(-1.0)


def _ranked(logits: tf.Tensor, grades: tf.Tensor) -> tf.Tensor:
    """Compute the loss of each row of pairs, float32 `[rows]`.

    Args:
        logits: scaled cosines, float32 `[rows, pairs]`.
        grades: negative where there is no pair, float32 `[rows, pairs]`.
    """
    order = tf.argsort(grades, axis=1, stable=True)
    grades = tf.gather(grades, order, batch_dims=1)
    is_pair = grades >= 0
    logits = tf.gather(logits, order, batch_dims=1)
    lower = tf.where(is_pair, logits, _NONE)
    # How many pairs have a lower grade, and the logarithm of the sum of their exponentials.
    count = tf.searchsorted(grades, grades, side="left")
    sums = tf.math.cumulative_logsumexp(lower, axis=1)
    sums = tf.pad(sums, [[0, 0], [1, 0]], constant_values=_NONE)
    over = tf.where(is_pair, tf.gather(sums, count, batch_dims=1) - logits, _NONE)
    return tf.nn.softplus(tf.reduce_logsumexp(over, axis=1))


def build(settings: recipe.Loss) -> CoSENT:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return CoSENT(settings.ranking_scale, settings.ranking_groups)
