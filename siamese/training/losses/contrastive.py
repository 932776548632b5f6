"""The in-batch contrastive loss, over the rows of all replicas."""

from collections.abc import Callable

from siamese.config import recipe
from siamese.encoder.keras_tf import tf
from siamese.training.loss import LossInputs, excluded_columns, present_in, read_options

# Rows times columns that are compared at once: 16 MiB a matrix.
COMPARED_AT_ONCE = 1 << 22


class Contrastive:
    """Picks each row's partner out of all columns, by a softmax over the scaled cosines.

    Each of a group's two rows is compared with every column: the rows and the hard negatives of all
    replicas. The other row of its group is the right answer and everything else a wrong one. Left
    out of a row's columns are the row itself and every other text of its own group.

    A few groups' rows are compared at a time, with the gradient taken on the way, so that memory
    does not grow with the square of the batch.

    Data: groups of paraphrases; labelled negatives, if there are any, as further columns
    (`loss.hard_negatives`). More groups in a batch (`sampling.batch_groups`) are more wrong
    answers.
    Goes well with: CoSENT on top, where there are labelled negatives (`loss.ranking: 1`).
    Source: the notebook's `compute_loss_of_similarity`; InfoNCE (van den Oord et al., 2018).

    Args:
        scale: multiplies the cosines before the softmax.

    Example: in a recipe, and from Python.
        loss: {name: contrastive, scale: 20}

        >>> siamese.train(groups, dev, loss={"scale": 20})
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, inputs: LossInputs) -> tf.Tensor:
        """Compute this replica's part of the mean over the rows of all groups."""
        columns = inputs.columns()
        groups = inputs.groups
        pairs = 2 * groups
        rows_in_all = tf.cast(pairs * inputs.replicas, tf.float32)
        own_groups, own_keys = present_in(columns.keys, inputs.own_groups, inputs.own_keys)

        def loss_of(
            rows: tf.Tensor, unit: tf.Tensor, first: tf.Tensor, last: tf.Tensor
        ) -> tf.Tensor:
            """Compute the part of the groups from `first` to before `last`, of their rows."""
            texts = (own_groups >= first) & (own_groups < last)
            excluded = excluded_columns(
                own_groups[texts] - first, own_keys[texts], columns.keys, last - first
            )
            partners = columns.start + (_rows_of(first, last, groups) + groups) % pairs
            losses = row_losses(rows, unit, partners, tf.tile(excluded, [2, 1]), self._scale)
            return tf.reduce_sum(losses) / rows_in_all

        @tf.custom_gradient
        def compare(rows: tf.Tensor, unit: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            loss, of_rows, of_unit = _in_slices(loss_of, rows, unit, groups)
            return loss, lambda upstream: (upstream * of_rows, upstream * of_unit)

        return compare(columns.own[:pairs], columns.unit)


def _rows_of(first: tf.Tensor, last: tf.Tensor, groups: tf.Tensor) -> tf.Tensor:
    """List the rows of the groups from `first` to before `last`."""
    return tf.concat([tf.range(first, last), groups + tf.range(first, last)], axis=0)


def _in_slices(
    loss_of: Callable[..., tf.Tensor], rows: tf.Tensor, unit: tf.Tensor, groups: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Add up the parts of a few groups at a time, and their gradients.

    Args:
        loss_of: the part of some groups, from their rows, all columns, and the first and the last.
        rows: of all groups, float32 `[2 groups, dim]`.
        unit: the columns, float32 `[columns, dim]`.
        groups: how many there are.

    Returns:
        The loss, and its gradients with respect to `rows` and `unit`.
    """
    at_once = tf.maximum(1, COMPARED_AT_ONCE // (2 * tf.shape(unit)[0]))

    def add(first: tf.Tensor, loss: tf.Tensor, of_rows: tf.Tensor, of_unit: tf.Tensor) -> tuple:
        last = tf.minimum(first + at_once, groups)
        numbers = _rows_of(first, last, groups)
        with tf.GradientTape() as tape:
            some = tf.gather(rows, numbers)
            tape.watch([some, unit])
            part = loss_of(some, unit, first, last)
        of_some, of_all = tape.gradient(part, [some, unit])
        of_rows = tf.tensor_scatter_nd_add(of_rows, numbers[:, None], of_some)
        return last, loss + part, of_rows, of_unit + of_all

    start = (tf.constant(0), tf.constant(0.0), tf.zeros_like(rows), tf.zeros_like(unit))
    _, loss, of_rows, of_unit = tf.while_loop(lambda first, *_: first < groups, add, start)
    return loss, of_rows, of_unit


def row_losses(
    rows: tf.Tensor, columns: tf.Tensor, partners: tf.Tensor, excluded: tf.Tensor, scale: float
) -> tf.Tensor:
    """Compute the loss of each row.

    Args:
        rows: unit embeddings `[rows, dim]`.
        columns: unit embeddings `[columns, dim]`.
        partners: the column of each row's partner, int32 `[rows]`.
        excluded: columns that are no negatives of a row, bool `[rows, columns]`; a row's partner
            takes part whether it is named here or not.
        scale: multiplies the cosines.

    Returns:
        `-log softmax(scale * rows @ columns.T)[partner]` of each row, float32 `[rows]`.
    """
    logits = scale * tf.matmul(rows, columns, transpose_b=True)
    is_partner = tf.one_hot(partners, tf.shape(columns)[0], on_value=True, off_value=False)
    logits = tf.where(excluded & ~is_partner, logits.dtype.min, logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partners, logits=logits)


def build(settings: recipe.Loss) -> Contrastive:
    """Build the loss from the recipe's section.

    Raises:
        UserError: `loss.options` are given; there are none.
    """
    read_options(settings, {})
    return Contrastive(settings.scale)
