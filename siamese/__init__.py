"""Siamese sentence encoders: a character BiLSTM trained on groups of paraphrases.

This package imports no Ray. `SentenceEncoder` is what most users need:

    from siamese import SentenceEncoder
    encoder = SentenceEncoder.load("run/best")
"""

from typing import Any

from siamese.errors import UserError

__all__ = ["SentenceEncoder", "UserError"]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for."""
    if name == "SentenceEncoder":
        from siamese.encoder.sentence_encoder import SentenceEncoder

        return SentenceEncoder
    raise AttributeError(f"module 'siamese' has no attribute {name!r}")
