"""Losses, a file each: what a training step minimises."""
