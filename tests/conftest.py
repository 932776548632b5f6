"""Shared by all tests."""

import os
import tempfile

import pytest
from hypothesis import settings

# The same examples on every run; the first one pays for imports, and machines differ: no deadline.
settings.register_profile("siamese", deadline=None, derandomize=True)
settings.load_profile("siamese")

# Other test files may run side by side (pytest-xdist), each process with clusters of its own: Ray
# finds a running one by a file in its folder for temporary files. Its sockets' paths must be short.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-", dir="/tmp")

# These start several processes that train, or must answer within seconds: never side by side.
CLUSTERS = (
    "test_faults",
    "test_lost_nodes",
    "test_preflight",
    "test_shard_on_ray",
    "test_submit",
    "test_tune",
    "test_watchdog",
    "test_workers",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run one after another."""
    for item in items:
        if item.path.stem in CLUSTERS:
            item.add_marker(pytest.mark.clusters)
