"""Files -> groups -> shards -> batches."""
