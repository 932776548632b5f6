"""Distillation: a batch's texts get the vectors that a teacher gives them."""

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.training.loss import LossInputs, read_options


class Distillation:
    """Draws each text's embedding in the direction of the teacher's vector.

    `scale * (1 - cosine)` of the embedding and the vector, a mean over those texts of all replicas
    that the teacher knows. The vectors come centred and in as many dimensions as the student has
    (see `siamese.training.teaching`); any rotation of them would do as well, since the student
    learns it, so that what is followed is how texts lie to each other. A batch that has no such
    text has a loss of 0.

    Data: a folder of `siamese teach` (`--teacher`), of the data set's texts and of unlabelled ones
    (`sampling.unlabelled`).
    Goes well with: the contrastive loss and CoSENT after it (`training.teacher_epochs`); or beside
    them, as a third (`loss.distillation: 1`); or alone, to learn from unlabelled texts.
    Source: regression on a teacher's sentence embeddings (Reimers and Gurevych, 2020), here of unit
    length. Softmaxes of the batch's similarities (SEED, Fang et al., 2021) taught less:
    docs/benchmarks.md.

    Args:
        scale: multiplies the cosines, as those of the other losses: so its gradients are about as
            long as theirs, which come after it and find Adam prepared for them.

    Example: in a recipe.
        training: {teacher_epochs: 5, epochs: 10}
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        """Compute this replica's part of the mean over the texts that the teacher knows."""
        rows = tf.shape(inputs.unit)[0]
        teacher = inputs.teacher[:rows]
        known = tf.cast(tf.reduce_any(teacher != 0, axis=1), tf.float32)
        gather = inputs.gather_shares or inputs.gather
        texts = tf.reduce_sum(gather(tf.reduce_sum(known)[None]))
        apart = self._scale * (1 - tf.reduce_sum(inputs.unit * teacher, axis=1))
        return tf.reduce_sum(known * apart) / tf.maximum(texts, 1)


def build(settings: recipe.Loss) -> Distillation:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return Distillation(settings.scale)
