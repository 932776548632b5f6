"""A teacher of the tests, as a user would write one: `python:small_teacher:make`."""

import hashlib

import numpy as np

DIM = 6


def vector_of(text: str) -> np.ndarray:
    """Numbers that depend on the text alone, of no unit length."""
    digest = hashlib.sha256(text.encode()).digest()
    return np.frombuffer(digest[:DIM], np.uint8).astype(np.float64) + 3


def make():
    return lambda texts: [vector_of(text) for text in texts]


def raises():
    def encode(texts):
        raise KeyError("no such layer")

    return encode


def not_a_number():
    return lambda texts: np.where(np.arange(len(texts)) == 1, np.nan, 1.0)[:, None]


def too_few():
    return lambda texts: np.ones((len(texts) - 1, 3))


def flat():
    return lambda texts: np.ones(len(texts))


def changing():
    return lambda texts: np.ones((len(texts), len(texts)))


def nothing():
    return None


number = 3
