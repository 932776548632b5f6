"""Connect to a cluster, check what its nodes have and can do."""
