"""Submit a command to a cluster and follow it."""
