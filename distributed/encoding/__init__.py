"""Bulk encoding on Ray Data."""
