"""The embedded search spaces."""
