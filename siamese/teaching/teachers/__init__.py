"""The teachers that `siamese teach --teacher` knows: one file each, named by its file."""
