"""Teachers on Ray Data."""
