"""Train the encoder with Ray Train."""
