"""Judge an encoder: metrics of labelled pairs and of retrieval, thresholds."""
