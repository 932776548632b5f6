"""Search settings with Ray Tune."""
