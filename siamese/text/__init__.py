"""Characters -> ids, and character vectors."""
