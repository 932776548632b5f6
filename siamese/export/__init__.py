"""The model in other people's formats: what is exported gives the same embeddings."""
