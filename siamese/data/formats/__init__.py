"""Input formats, a file each: see `siamese.data.format`."""
