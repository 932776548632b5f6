"""Train any Keras model with Ray Train."""
