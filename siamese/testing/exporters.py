"""The laws of an exporter."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np

from siamese.config.encoder_sections import Normalization, Pooling
from siamese.config.loading import load_recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.weights import Layer, Weights
from siamese.export.checking import TOLERANCE, sample_texts
from siamese.export.exporter import Encode, Exporter
from siamese.testing.laws import ORDER, SAVED, require_same
from siamese.text.vocabulary import Vocabulary

Make = Callable[[], Exporter]
_CHARACTERS = "怎么修改密码如何登录 abisSßgkz019()\nσΔéĀ"
_DIM = 5


def check_exporter(make: Make, poolings: Sequence[Pooling] = get_args(Pooling)) -> None:
    """Check an exporter by the laws that concern it, with encoders of all kinds.

    Args:
        make: makes the exporter; called often.
        poolings: kinds of pooling that it must know.

    Raises:
        LawBroken: names the law and the numbers that differ.
    """
    for pooling in poolings:
        encoder = make_encoder(pooling)
        saved_equals_loaded(make, encoder)
        padding_and_order_change_nothing(make, encoder)
    saved_equals_loaded(make, make_encoder(poolings[0], lowercase=False))
    saved_equals_loaded(make, make_encoder(poolings[0], normalize="nfkc"))


def saved_equals_loaded(make: Make, encoder: SentenceEncoder) -> None:
    """Require that what is exported gives the same embeddings, from wherever it is copied to.

    The texts are of known and unknown characters, odd case and forms, empty and over-long.

    Raises:
        LawBroken: it gives others.
    """
    texts = sample_texts(encoder)
    with _exported(make, encoder) as encode:
        expected = {"embeddings": encoder.encode(texts)}
        require_same(SAVED, {"embeddings": encode(texts)}, expected, TOLERANCE)


def padding_and_order_change_nothing(make: Make, encoder: SentenceEncoder) -> None:
    """Require that a text's embedding is the same alone, among others and in any order.

    Raises:
        LawBroken: it is another.
    """
    texts = sample_texts(encoder, 20)
    with _exported(make, encoder) as encode:
        expected = {"embeddings": encode(texts)}
        alone = np.concatenate([encode([text]) for text in texts])
        require_same(ORDER, {"embeddings": alone}, expected, TOLERANCE)
        turned = encode(texts[::-1])[::-1]
        require_same(ORDER, {"embeddings": turned}, expected, TOLERANCE)


@contextmanager
def _exported(make: Make, encoder: SentenceEncoder) -> Iterator[Encode]:
    """Export an encoder, move the folder, and load it."""
    with tempfile.TemporaryDirectory(prefix="siamese-exporter-") as temporary:
        written, moved = Path(temporary) / "written", Path(temporary) / "moved"
        written.mkdir()
        make().write(encoder, written)
        written.rename(moved)
        yield make().load(moved)


def make_encoder(
    pooling: Pooling, lowercase: bool = True, normalize: Normalization = "none"
) -> SentenceEncoder:
    """Make an encoder of a few random numbers: two layers, texts up to 24 characters.

    Args:
        pooling: the recipe's.
        lowercase: whether case is folded.
        normalize: the recipe's `text.normalize`.
    """
    rng = np.random.default_rng(1)
    settings = [
        *(f"encoder.embedding_dim={_DIM}", "encoder.lstm_units=[6, 4]", "text.max_length=24"),
        *(f"encoder.pooling={pooling}", "encoder.attention_heads=3"),
        *(f"text.lowercase={str(lowercase).lower()}", f"text.normalize={normalize}"),
    ]
    recipe = load_recipe("fast", settings)
    counts = {c: 2 * len(_CHARACTERS) - n for n, c in enumerate(_CHARACTERS)}
    vocabulary = Vocabulary(counts, lowercase, normalize=normalize)
    layers, inputs = [], _DIM
    for units in recipe.encoder.lstm_units:
        shapes = ((2, inputs, 4 * units), (2, units, 4 * units), (2, 4 * units))
        layers.append(Layer(*(rng.normal(0, 0.5, shape).astype(np.float32) for shape in shapes)))
        inputs = 2 * units
    attention = None
    if pooling == "attention":
        attention = rng.normal(size=(inputs, recipe.encoder.attention_heads)).astype(np.float32)
    table = rng.normal(size=(len(vocabulary), _DIM)).astype(np.float32)
    return SentenceEncoder(Weights(table, tuple(layers), attention), vocabulary, recipe, 0.5)
