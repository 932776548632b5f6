"""`preflight` in a process of its own."""

import subprocess
import sys

from ray.cluster_utils import Cluster


def in_a_process(cluster: Cluster, run: str, limits: str) -> subprocess.Popen[str]:
    """`preflight` in a process of its own, because what is tested is that it ends.

    It connects, and goes on when a line is sent to it.
    """
    program = f"""
import ray
ray.init(address={cluster.address!r}, log_to_driver=False, logging_level="ERROR")
from distributed.cluster import preflight
{limits}
input()
try:
    request = preflight.Request(preflight.Execution(workers=(1, 1)))
    preflight.preflight(request, read=[], run={run!r})
except preflight.UserError as error:
    print(error)
    raise SystemExit(2)
"""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
