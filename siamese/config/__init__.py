"""Recipes and search spaces: every setting, validated."""
