"""Compare rows with columns a few at a time, so that memory does not grow with their product."""

from collections.abc import Callable

from siamese.encoder.keras_tf import tf

# Rows times columns that are compared at once: 16 MiB a matrix.
COMPARED_AT_ONCE = 1 << 22

# Takes some rows `[n, dim]`, all columns, and the first and the last of what the rows belong to;
# returns their part of the loss.
PartOfLoss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def sum_in_slices(
    part_of_loss: PartOfLoss,
    rows: tf.Tensor,
    columns: tf.Tensor,
    count: tf.Tensor,
    rows_of: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Add up the parts of a loss, and take their gradients on the way.

    Args:
        part_of_loss: of the rows that belong to what is from `first` to before `last`.
        rows: float32 `[rows, dim]`.
        columns: float32 `[columns, dim]`.
        count: of what the rows belong to, such as groups.
        rows_of: the numbers of the rows that belong to what is from `first` to before `last`.

    Returns:
        The loss, a scalar.
    """
    rows_each = tf.shape(rows)[0] // tf.maximum(count, 1)
    at_once = tf.maximum(1, COMPARED_AT_ONCE // (rows_each * tf.shape(columns)[0]))

    def add(first: tf.Tensor, loss: tf.Tensor, of_rows: tf.Tensor, of_columns: tf.Tensor) -> tuple:
        last = tf.minimum(first + at_once, count)
        numbers = rows_of(first, last)
        with tf.GradientTape() as tape:
            some = tf.gather(rows, numbers)
            tape.watch([some, columns])
            part = part_of_loss(some, columns, first, last)
        of_some, of_all = tape.gradient(part, [some, columns])
        of_rows = tf.tensor_scatter_nd_add(of_rows, numbers[:, None], of_some)
        return last, loss + part, of_rows, of_columns + of_all

    @tf.custom_gradient
    def compare(rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        start = (tf.constant(0), tf.constant(0.0), tf.zeros_like(rows), tf.zeros_like(columns))
        _, loss, of_rows, of_columns = tf.while_loop(lambda first, *_: first < count, add, start)
        return loss, lambda upstream: (upstream * of_rows, upstream * of_columns)

    return compare(rows, columns)
