"""Texts that are compared: which are one, which are left out, and their embeddings."""

import numpy as np
import pyarrow as pa
import pytest
from small_encoder import small_encoder

import siamese.search.text_set
from siamese.encoding.filling import encode_here
from siamese.search.text_set import TextSet

TEXTS = ["Wi-Fi", "怎么", "wi-fi", "", "怎么", " ", "ไทย", "快递", "한국", "ไทย", "怎么？"]


@pytest.mark.parametrize("lowercase", ["true", "false"])
def test_texts_that_read_alike_are_one(lowercase):
    encoder = small_encoder(f"text.lowercase={lowercase}")
    texts = TextSet(pa.array(TEXTS, pa.large_string()), encoder)
    folded = lowercase == "true"
    assert texts.first.tolist() == [0, 1, 0 if folded else 2, 3, 1, 5, 6, 7, 8, 6, 10]
    assert texts.compared.tolist() == [0, 1, 7, 10] if folded else [0, 1, 2, 7, 10]
    assert np.flatnonzero(texts.is_blank).tolist() == [3, 5]
    assert texts.unknown == 2


def test_embeddings_are_those_of_the_encoder_whatever_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(siamese.search.text_set, "TEXTS_PER_PART", 2)
    encoder = small_encoder()
    texts = TextSet(pa.array(TEXTS, pa.large_string()), encoder)

    def backwards(work, left):
        assert len(left) == 2
        return reversed(list(encode_here(work, left)))

    found = texts.embeddings(tmp_path / "e", backwards)
    assert np.array_equal(found, encoder.encode([TEXTS[number] for number in texts.compared]))


def test_nothing_to_compare_needs_no_file(tmp_path):
    texts = TextSet(pa.array(["", "ไทย"], pa.large_string()), small_encoder())
    assert texts.embeddings(tmp_path / "e", encode_here).shape == (0, 12)
    assert not (tmp_path / "e").exists()
