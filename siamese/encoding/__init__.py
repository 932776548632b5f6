"""Vectors of many texts: folders that are written a part at a time, and gone on with."""
