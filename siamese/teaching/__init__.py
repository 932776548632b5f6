"""Teachers: larger encoders, and what they say of texts, kept in folders."""
