"""Shared by all tests."""

from hypothesis import settings

import siamese.storage.ownership

# The same examples on every run; the first one pays for imports, and machines differ: no deadline.
settings.register_profile("siamese", deadline=None, derandomize=True)
settings.load_profile("siamese")

# Nobody else takes a lease of a store in memory.
siamese.storage.ownership.SETTLE = 0.0
