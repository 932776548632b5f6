"""A model and its folder, for several files of tests."""

import shutil

import pytest
from encoders import make

from siamese import SentenceEncoder
from siamese.config.loading import load_recipe
from siamese.encoder.weights import weights_of
from siamese.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model of 50 ids, 6 numbers a character, 8 units, and attention."""
    _, model, *_ = make((8,), "attention")
    settings = ["embedding_dim=6", "lstm_units=[8]", "pooling=attention", "attention_heads=3"]
    recipe = load_recipe("fast", [f"encoder.{setting}" for setting in settings])
    vocabulary = Vocabulary({chr(0x4E00 + n): 100 - n for n in range(48)})
    folder = tmp_path_factory.mktemp("saved") / "model"
    encoder = SentenceEncoder(weights_of(model), vocabulary, recipe, 0.5, {"accuracy": 0.75})
    encoder.model = model
    encoder.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")
