"""An index of texts."""
