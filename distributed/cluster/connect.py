"""Joining a Ray cluster, or starting one on this machine, quietly."""

import logging
import os

from distributed.cluster.ray_private import hush_lost_nodes


def connect(verbose: bool = False, object_store_memory: int | None = None) -> None:
    """Join the cluster that is there, or start one on this machine that ends with this process.

    A cluster is there inside a job, where `RAY_ADDRESS` names one, and on a machine where
    `ray start` has been run. Calling it again does nothing.

    Args:
        verbose: show what Ray and its workers write.
        object_store_memory: bytes of shared memory, if a cluster is started; None: Ray's default,
            which is a share of the machine's.

    Raises:
        ConnectionError: `RAY_ADDRESS` names a cluster that does not answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would otherwise warn of a change to come in a setting that is not used here.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    level = logging.INFO if verbose else logging.ERROR
    try:
        ray.init(
            log_to_driver=verbose, logging_level=level, object_store_memory=object_store_memory
        )
    except ValueError:  # a cluster is there, which has an object store already
        ray.init(log_to_driver=verbose, logging_level=level)
    if not verbose:
        hush_lost_nodes()
