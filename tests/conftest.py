"""Shared by all tests."""

from hypothesis import settings

# The first example of a test pays for imports, and machines differ: no deadline.
settings.register_profile("siamese", deadline=None)
settings.load_profile("siamese")
