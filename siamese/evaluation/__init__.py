"""Judge an encoder: evaluators of labelled pairs and of retrieval, metrics, thresholds."""
