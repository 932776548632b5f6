"""An encoder of random weights, made without TensorFlow."""

import numpy as np

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.encoder.calibration import Logistic
from siamese.encoder.weights import Layer, Weights
from siamese.text.vocabulary import Vocabulary, count_characters

CHARACTERS = "怎么修改密码如何更登录快递到哪了开通会员查询余额abc123 ?吗"


def calibrated_encoder(seed: int = 2, *, calibrated: bool = True) -> SentenceEncoder:
    """Make an encoder of 12 numbers with a threshold of 0.9."""
    recipe = load_recipe("fast", ["encoder.embedding_dim=8", "encoder.lstm_units=[6]"])
    vocabulary = Vocabulary(count_characters([CHARACTERS]), recipe.text.lowercase)
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) / shape[-2] ** 0.5).astype(np.float32)

    layer = Layer(normal(2, 8, 24), normal(2, 6, 24), normal(2, 24))
    weights = Weights(normal(len(vocabulary), 8) * 4, (layer,), None)
    calibrator = Logistic(20.0, -17.0) if calibrated else None
    return SentenceEncoder(weights, vocabulary, recipe, 0.9, {}, calibrator)
