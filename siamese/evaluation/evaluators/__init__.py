"""Evaluators, a file each: development pairs -> figures."""
