"""Folders that are local or at a URI, and files that are whole or not there."""
