"""Shared by all tests."""

import os
import tempfile

from hypothesis import settings

# The same examples on every run; the first one pays for imports, and machines differ: no deadline.
settings.register_profile("siamese", deadline=None, derandomize=True)
settings.load_profile("siamese")

# Other test files may run side by side (pytest-xdist), each process with clusters of its own: Ray
# finds a running one by a file in its folder for temporary files. Its sockets' paths must be short.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["RAY_TMPDIR"] = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
