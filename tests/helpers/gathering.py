"""Twelve replicas in one process, which gather: writes what each has (test_gather.py)."""

import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceStrategy

from siamese.training.gather import gather_any, gather_shares

REPLICAS = 12


def main(output: str) -> None:
    """Gather shares of two rows, and of one row more for each replica; take a gradient."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * REPLICAS
    tf.config.set_logical_device_configuration(cpu, logical)
    devices = tuple(f"/cpu:{number}" for number in range(REPLICAS))
    strategy = CollectiveAllReduceStrategy._from_local_devices(devices)

    @tf.function(autograph=False)
    def gather() -> tuple:
        def of_replica() -> dict[str, tf.Tensor]:
            number = tf.identity(tf.distribute.get_replica_context().replica_id_in_sync_group)
            share = tf.cast(tf.stack([[number, 0], [number, 1]]), tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(share)
                shares = gather_shares(share)
                total = tf.reduce_sum(shares**2)
            more = tf.fill([number + 1], tf.cast(number, tf.int64))
            return {
                "shares": shares,
                "gradient": tape.gradient(total, share),
                "any": gather_any(more),
                "bools": gather_shares(more[:1] % 2 == 1),
            }

        return strategy.run(of_replica)

    found = {
        f"{name} {number}": value.numpy()
        for name, values in gather().items()
        for number, value in enumerate(strategy.experimental_local_results(values))
    }
    np.savez(output, allow_pickle=False, **found)


if __name__ == "__main__":
    main(sys.argv[1])
