"""A sentence encoder of a few random numbers."""

from collections.abc import Sequence

import numpy as np

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.encoder.weights import Layer, Weights
from siamese.text.vocabulary import Vocabulary, count_characters

TEXTS = ["怎么修改密码", "如何更改登录密码呢？", "快递到哪了", "Wi-Fi 的密码是什么"]


def small_encoder(
    *settings: str, seed: int = 7, texts: Sequence[str] = TEXTS, threshold: float = 0.25
) -> SentenceEncoder:
    """Make an encoder of 12 numbers, without TensorFlow; `save` needs it.

    Args:
        settings: of its recipe.
        seed: of the numbers.
        texts: whose characters it knows.
        threshold: of the model.
    """
    recipe = load_recipe(
        "fast",
        [
            "encoder.embedding_dim=8",
            "encoder.lstm_units=[6]",
            "encoder.pooling=mean",
            "text.max_length=64",
            *settings,
        ],
    )
    vocabulary = Vocabulary(count_characters(texts), recipe.text.lowercase)
    draw = np.random.default_rng(seed)

    def numbers(*shape: int) -> np.ndarray:
        return draw.normal(size=shape).astype(np.float32)

    layer = Layer(numbers(2, 8, 24), numbers(2, 6, 24), numbers(2, 24))
    weights = Weights(numbers(len(vocabulary), 8), (layer,), None)
    return SentenceEncoder(weights, vocabulary, recipe, threshold)
