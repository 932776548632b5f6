"""Train with Ray Train."""
