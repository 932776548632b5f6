"""Hard negatives, found with a model."""
