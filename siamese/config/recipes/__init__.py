"""The embedded recipes."""
