"""Ids -> vectors: layers, the kernels of the one BiLSTM, weights, SentenceEncoder, model folder."""
