"""An encoder made by Keras, and texts of all sorts for it."""

import numpy as np

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras
from siamese.encoder.weights import weights_of
from siamese.text.vocabulary import Vocabulary, count_characters

TEXTS = [
    "怎么修改密码",
    "如何更改登录密码呢？",
    "快递到哪了",
    "",
    "😀 emoji",
    "x" * 200,
    "快递到哪了",
]


def make_encoder(*settings: str) -> SentenceEncoder:
    keras.utils.set_random_seed(7)
    recipe = load_recipe("fast", ["encoder.embedding_dim=8", "encoder.lstm_units=[6]", *settings])
    vocabulary = Vocabulary(count_characters(TEXTS), recipe.text.lowercase)
    table = np.random.default_rng(2).normal(size=(len(vocabulary), 8)).astype(np.float32)
    model, _ = build_encoder(recipe.encoder, table)
    return SentenceEncoder(weights_of(model), vocabulary, recipe, threshold=0.25)
