"""Bring the workers' arrays together."""

from collections.abc import Callable

import numpy as np

from siamese.encoder.keras_tf import tf

# A worker's array -> those of all workers, in the order of their ranks, `[workers, …]`.
Gather = Callable[[np.ndarray | tf.Tensor], np.ndarray]


def build_gather(strategy: tf.distribute.Strategy) -> Gather:
    """Build the function that all workers call together, with arrays of one shape."""

    @tf.function(autograph=False, reduce_retracing=True)
    def gather(values: tf.Tensor) -> tf.Tensor:
        def of_all(mine: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_gather(mine[None], axis=0)

        return strategy.run(of_all, (values,))

    return lambda values: gather(tf.convert_to_tensor(values)).numpy()
