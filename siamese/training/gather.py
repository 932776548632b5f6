"""Bring the workers' arrays together, in the order of their ranks.

TensorFlow's `all_gather` is not used: it puts worker 10 before worker 2, as their names sort, asks
for the shapes first, and for its gradient again. A sum over the workers, each with zeros in the
place of the others' values, has the right order and is one message round all workers.
"""

from collections.abc import Callable

import numpy as np

from siamese.encoder.keras_tf import tf

# A worker's array -> those of all workers, in the order of their ranks, `[workers, …]`.
Gather = Callable[[np.ndarray | tf.Tensor], np.ndarray]


def build_gather(strategy: tf.distribute.Strategy) -> Gather:
    """Build the function that all workers call together, with arrays of one shape."""

    @tf.function(autograph=False, reduce_retracing=True)
    def gather(values: tf.Tensor) -> tf.Tensor:
        return strategy.run(lambda mine: gather_shares(mine[None]), (values,))

    return lambda values: gather(tf.convert_to_tensor(values)).numpy()


def gather_shares(values: tf.Tensor) -> tf.Tensor:
    """Concatenate what the replicas have, along the first axis. Called by all replicas together.

    Gradients flow through it: each replica gets the sum of what all have for its values.

    Args:
        values: numbers, `[rows, …]`; as many for every replica.
    """
    replica = tf.distribute.get_replica_context()
    before = replica.replica_id_in_sync_group * tf.shape(values)[0]
    return _side_by_side(values, before, replica.num_replicas_in_sync * tf.shape(values)[0])


def gather_any(values: tf.Tensor) -> tf.Tensor:
    """Do as `gather_shares`, of any number of rows each."""
    replica = tf.distribute.get_replica_context()
    ends = tf.cumsum(gather_shares(tf.shape(values)[:1]))
    before = ends[replica.replica_id_in_sync_group] - tf.shape(values)[0]
    return _side_by_side(values, before, ends[-1])


def gather_together(
    gather: Callable[[tf.Tensor], tf.Tensor], *values: tf.Tensor
) -> list[tf.Tensor]:
    """Concatenate each of several arrays of one type along its first axis, in one message.

    Args:
        gather: of one array, such as `gather_shares`.
        values: as many of each for every replica.
    """
    everything = gather(tf.concat([tf.reshape(each, [-1]) for each in values], axis=0)[None])
    sizes = tf.stack([tf.size(each) for each in values])
    parts = tf.split(everything, sizes, num=len(values), axis=1)
    rows = [tf.concat([[-1], tf.shape(each)[1:]], axis=0) for each in values]
    return list(map(tf.reshape, parts, rows))


def _side_by_side(values: tf.Tensor, before: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Add up the replicas' values, which lie beside each other among so many rows."""
    if values.dtype == tf.bool:
        return tf.cast(_side_by_side(tf.cast(values, tf.int32), before, rows), tf.bool)
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return tf.identity(values)
    around = tf.stack([before, rows - before - tf.shape(values)[0]])[None]
    others = tf.zeros([tf.rank(values) - 1, 2], tf.int32)
    padded = tf.pad(values, tf.concat([around, others], axis=0))
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, padded)
