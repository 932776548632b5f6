"""A bidirectional LSTM encoder in plain numpy, one text and one character at a time."""

import math

import numpy as np

from siamese.encoder.keras_tf import keras


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(inputs: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray):
    """Outputs `[time, units]` of one direction (Hochreiter & Schmidhuber, 1997; gates i f g o)."""
    units = recurrent.shape[0]
    h, c, outputs = np.zeros(units), np.zeros(units), []
    for x in inputs:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def encode_by_hand(model: keras.Model, ids: list[int], pooling: str) -> np.ndarray:
    """The embedding of one text, from the model's weights, without padding."""
    hidden = model.get_layer("characters").get_weights()[0].astype(np.float64)[ids]
    for layer in model.layers:
        if layer.name.startswith("bilstm"):
            weights = [w.astype(np.float64) for w in layer.get_weights()]
            forward = lstm(hidden, *weights[:3])
            backward = lstm(hidden[::-1], *weights[3:])
            last = np.concatenate([forward[-1], backward[-1]])
            hidden = np.concatenate([forward, backward[::-1]], axis=1)
    if pooling == "attention":
        kernel = model.get_layer("attention_pooling").get_weights()[0].astype(np.float64)
        weights = np.exp(hidden @ kernel) / np.exp(hidden @ kernel).sum(axis=0)
        width, heads = hidden.shape[1], kernel.shape[1]
        starts = [math.ceil(head * width / heads) for head in range(1, heads)]
        parts = np.split(hidden, starts, axis=1)
        return np.concatenate([w @ part for w, part in zip(weights.T, parts, strict=True)])
    return {"last": last, "mean": hidden.mean(axis=0), "max": hidden.max(axis=0)}[pooling]
