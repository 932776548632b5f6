"""Shared by all tests."""

import os
import tempfile

import pytest
from hypothesis import settings

# The same examples on every run; the first one pays for imports, and machines differ: no deadline.
settings.register_profile("siamese", deadline=None, derandomize=True)
settings.load_profile("siamese")

# Test files run side by side (pytest-xdist), each process with clusters of its own: Ray finds a
# running one by a file in its folder for temporary files. Its sockets' paths must be short.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-", dir="/tmp")

# These start several processes that train, or must answer within seconds: never side by side.
ONE_AFTER_ANOTHER = (
    "test_faults",
    "test_preflight",
    "test_shard_on_ray",
    "test_submit",
    "test_tune",
    "test_watchdog",
    "test_workers",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process (`--dist loadgroup`)."""
    for item in items:
        name = item.path.stem
        group = "clusters" if name in ONE_AFTER_ANOTHER else name
        item.add_marker(pytest.mark.xdist_group(group))
