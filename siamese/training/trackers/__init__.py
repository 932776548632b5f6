"""Trackers, a file each: where the figures of a run go besides `metrics.jsonl`."""
