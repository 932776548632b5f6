"""Audits whose folds are scored by processes of Ray."""
