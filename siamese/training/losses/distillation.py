"""Distillation: the similarities of a batch's texts follow those that a teacher finds."""

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.training.loss import LossInputs, read_options
from siamese.training.slices import sum_in_slices


class Distillation:
    """Draws each text's softmax over the other texts' cosines towards the teacher's.

    The teacher's cosines of a text with all others of all replicas, scaled, make a distribution by
    a softmax, and so do the student's; the loss is the divergence (Kullback and Leibler, 1951) of
    the student's from it, a mean over the texts that the teacher knows. Left out are the text
    itself wherever it occurs, and texts that the teacher does not know. Since only similarities are
    compared, the teacher's vectors may be of any size. A batch without such texts has a loss of 0.

    Data: a folder of `siamese teach` (`--teacher`) with vectors of the data set's texts, and of
    unlabelled ones (`sampling.unlabelled`).
    Goes well with: the contrastive loss and CoSENT, as a third (`loss.distillation: 1`).
    Source: relational knowledge distillation (Park et al., 2019), with the softmax of similarity
    distributions (Fang et al., SEED, 2021).

    Args:
        scale: multiplies the student's cosines.
        teacher_scale: multiplies the teacher's cosines.

    Example: in a recipe.
        loss: {distillation: 1, teacher_scale: 50}
    """

    def __init__(self, scale: float, teacher_scale: float) -> None:
        self._scale = scale
        self._teacher_scale = teacher_scale

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        """Compute this replica's part of the mean over the texts that the teacher knows."""
        columns = inputs.columns()
        own_keys, own_known = inputs.column_keys, _known(inputs.teacher)
        teacher = inputs.gather(inputs.teacher)
        known = _known(teacher)
        texts = tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0)

        def part_of_loss(
            rows: tf.Tensor, unit: tf.Tensor, first: tf.Tensor, last: tf.Tensor
        ) -> tf.Tensor:
            """Compute the part of the own columns from `first` to before `last`."""
            others = (own_keys[first:last, None] != columns.keys) & known
            taught = tf.matmul(inputs.teacher[first:last], teacher, transpose_b=True)
            wanted = _log_softmax(self._teacher_scale * taught, others)
            found = _log_softmax(self._scale * tf.matmul(rows, unit, transpose_b=True), others)
            apart = tf.where(others, tf.exp(wanted) * (wanted - found), 0.0)
            takes_part = own_known[first:last] & tf.reduce_any(others, axis=1)
            return tf.reduce_sum(tf.where(takes_part[:, None], apart, 0.0)) / texts

        return sum_in_slices(
            part_of_loss, columns.own, columns.unit, tf.size(own_keys), lambda *ends: tf.range(*ends)
        )


def _known(teacher: tf.Tensor) -> tf.Tensor:
    """Find the texts that have a vector, bool `[columns]`."""
    return tf.reduce_any(teacher != 0, axis=1)


def _log_softmax(logits: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Compute the logarithm of the softmax over those columns that take part."""
    return tf.nn.log_softmax(tf.where(others, logits, -1e9), axis=1)


def build(settings: recipe.Loss) -> Distillation:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return Distillation(settings.scale, settings.teacher_scale)
