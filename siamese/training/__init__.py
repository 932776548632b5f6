"""The loop, the step, the optimizer, checkpoints, and where a run happens."""
