"""The conformance suite: what every part of this project keeps, ready for a part of your own.

Five laws make training exact; a part that breaks one makes it wrong without a word:

- *N workers = 1*: shares of a batch, each on a worker of its own, give the loss and the gradients
  of the whole batch, negatives of all workers seen;
- *micro-batches = whole*: gradient caching gives the plain gradients;
- *padding and order change nothing*;
- *resumed = unbroken*: a run that is stopped at any step and resumed ends with the same weights;
- *saved = loaded*: what is written and read back computes the same.

Each kind of part has a check of all laws that concern it, and a module with a function for each
law. They raise `LawBroken`, which names the law and the numbers that differ. A check takes seconds.

Example: a loss of your own.
    >>> from siamese.encoder.keras_tf import tf
    >>> from siamese.testing import check_loss
    >>>
    >>> class Triplet:
    ...     def __call__(self, inputs):
    ...         near = tf.reduce_sum(inputs.first * inputs.second, axis=1)
    ...         columns = inputs.columns()  # the texts of all workers
    ...         cosines = tf.matmul(inputs.first, columns.unit, transpose_b=True)
    ...         far = tf.reduce_max(tf.where(inputs.excluded(columns), -1.0, cosines), axis=1)
    ...         return inputs.mean(tf.nn.relu(0.2 + far - near))
    >>>
    >>> check_loss(lambda settings: Triplet())

Had it returned `tf.reduce_mean(…)`, each worker's own mean, the check would have said:

    LawBroken: the law `N workers = 1` is broken: loss of 2 workers is 1.98, not 0.99

| part | check | laws, in `siamese.testing` |
| --- | --- | --- |
| loss | `check_loss(build, settings)` | all; `losses` |
| pooling layer | `check_pooling(make)` | all; `encoders` |
| encoder | `check_encoder(make)` | all; `encoders` |
| evaluator | `check_evaluator(build, evaluation)` | all but micro-batches; `evaluators` |
| tracker | `check_tracker(make, read)` | resumed, saved; `trackers` |
| input format | `check_format(format, path)` | micro-batches (ranges), resumed, saved; `formats` |
| exporter | `check_exporter(make)` | padding and order, saved; `exporters` |
"""

from siamese.testing.encoders import check_encoder, check_pooling
from siamese.testing.evaluators import check_evaluator
from siamese.testing.exporters import check_exporter
from siamese.testing.formats import check_format
from siamese.testing.laws import LawBroken
from siamese.testing.losses import check_loss
from siamese.testing.trackers import check_tracker

__all__ = [
    "LawBroken",
    "check_encoder",
    "check_evaluator",
    "check_exporter",
    "check_format",
    "check_loss",
    "check_pooling",
    "check_tracker",
]
