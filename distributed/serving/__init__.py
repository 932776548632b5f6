"""Ray Serve: replicas that hold a model and its index, and what is in front of them."""
