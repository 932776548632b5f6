"""A run's figures as a page and pictures."""
