"""The encoder of `siamese/`, carried on Ray: sharding, training, the command line."""
