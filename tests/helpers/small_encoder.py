"""An encoder with weights that are drawn and not trained; no TensorFlow is needed to make it."""

from collections.abc import Iterable

import numpy as np

from siamese.config.loading import load_recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.weights import Layer, Weights
from siamese.text.vocabulary import Vocabulary, count_characters

CHARACTERS = "第句话怎么修改密码如何更登录呢快递到哪了退票办卡0123456789"


def small_encoder(
    texts: Iterable[str] = CHARACTERS, similarity: str = "cosine", threshold: float = 0.7
) -> SentenceEncoder:
    """Make one that knows the characters of some texts."""
    recipe = load_recipe(
        "fast",
        [
            "encoder.embedding_dim=8",
            "encoder.lstm_units=[6]",
            "encoder.pooling=mean",
            f"evaluation.similarity={similarity}",
        ],
    )
    vocabulary = Vocabulary(count_characters(texts), recipe.text.lowercase)
    rng = np.random.default_rng(2)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    layer = Layer(drawn(2, 8, 24), drawn(2, 6, 24) / 2, drawn(2, 24) / 2)
    return SentenceEncoder(
        Weights(drawn(len(vocabulary), 8), (layer,), None), vocabulary, recipe, threshold
    )
