"""What is compared, and what is refused."""

import numpy as np
import pytest

from siamese import UserError
from siamese.export.checking import check_same, drawn_texts, largest_difference, sample_texts
from siamese.testing.exporters import make_encoder


def test_samples_hold_odd_empty_and_over_long_texts() -> None:
    encoder = make_encoder("mean")
    texts = sample_texts(encoder)
    most = encoder.recipe.text.max_length
    assert {"", " ", "ß", "ß" * most} <= set(texts)
    assert {most, most + 1, 2 * most} <= set(map(len, texts))
    assert any("İ" in text for text in texts)


def test_characters_are_drawn_as_often_as_they_were_in_training() -> None:
    encoder = make_encoder("mean")
    texts = drawn_texts(encoder, 2000)
    assert texts == drawn_texts(encoder, 2000)
    drawn = "".join(texts)
    counts = encoder.vocabulary.counts
    shares = np.array([*counts.values()]) / sum(counts.values())
    found = np.array([drawn.count(c) for c in counts]) / len(drawn)
    np.testing.assert_allclose(found, shares, atol=0.01)
    assert min(map(len, texts)) == 1


def test_the_largest_difference_is_found_with_its_text() -> None:
    encoder = make_encoder("mean")

    def other(texts):
        embeddings = encoder.encode(texts)
        embeddings[1, 2] += 0.25
        return embeddings

    apart, text = largest_difference(encoder, other, ["a", "怎么", "b"])
    assert text == "怎么"
    assert apart == pytest.approx(0.25)


@pytest.mark.parametrize("wrong", [2e-6, np.nan, np.inf])
def test_other_embeddings_are_refused(wrong) -> None:
    encoder = make_encoder("mean")
    assert check_same(encoder, encoder.encode) == 0
    with pytest.raises(UserError, match="gives other embeddings"):
        check_same(encoder, lambda texts: encoder.encode(texts) + np.float32(wrong))
