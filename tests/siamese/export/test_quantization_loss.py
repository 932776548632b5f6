"""What int8 loses, against numbers worked out by hand."""

import numpy as np
import pytest

from siamese.data.pair import Pair
from siamese.export.quantization_loss import quantization_loss
from siamese.testing.exporters import make_encoder

PAIRS = [Pair("a", "b", 1.0), Pair("s", "i", 0.0), Pair("g", "z", 0.0), Pair("怎", "么", 1.0)]


@pytest.mark.parametrize("pairs", [PAIRS, []])
def test_the_same_encoder_loses_nothing(pairs) -> None:
    encoder = make_encoder("mean")
    loss = quantization_loss(encoder, encoder.encode, pairs)
    spearman = loss.pop("spearman", None)
    assert (spearman is None) == (not pairs)
    assert loss == pytest.approx(dict.fromkeys(loss, 0), abs=1e-12)


def test_turned_embeddings_lose_a_cosine_each_and_the_order() -> None:
    encoder = make_encoder("mean")

    def turned(texts):
        embeddings = encoder.encode(texts)
        embeddings[0] *= -1  # of the first text of either side
        return embeddings

    loss = quantization_loss(encoder, turned, [*PAIRS, Pair("", "a", 0.0)])
    # 2 of the 10 texts are turned round; the empty one has no direction, and loses nothing.
    assert loss["cosine_loss"] == pytest.approx(4 / 10)
    assert loss["largest_cosine_loss"] == pytest.approx(2)
    assert loss["spearman_loss"] == pytest.approx(0)  # both sides of the pair are turned


def test_without_pairs_the_order_of_the_similarities_is_compared() -> None:
    encoder = make_encoder("mean")
    rng = np.random.default_rng(1)

    def noisy(texts):
        return encoder.encode(texts) + rng.normal(0, 0.02, (len(texts), encoder.embedding_dim))

    loss = quantization_loss(encoder, noisy, [])
    assert 0.01 < loss["spearman_loss"] < 0.5
    assert 0 < loss["cosine_loss"] < loss["largest_cosine_loss"]
