"""SentenceEncoder: encoding and comparing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts_encoder import TEXTS, make_encoder

from siamese import SentenceEncoder


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return make_encoder()


def test_encode_returns_a_float32_row_per_sentence(encoder) -> None:
    embeddings = encoder.encode(TEXTS)
    assert embeddings.shape == (len(TEXTS), encoder.embedding_dim) == (7, 12)
    assert embeddings.dtype == np.float32
    assert encoder.encode([]).shape == (0, 12)
    np.testing.assert_allclose(encoder.encode(TEXTS[0]), embeddings[0], atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(alphabet="怎么修改密码如何a 😀", max_size=90), min_size=1, max_size=12),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_an_embedding_depends_on_neither_batch_size_nor_order_nor_padding(
    encoder, texts, batch_size, random
) -> None:
    alone = np.array([encoder.encode(text) for text in texts])
    order = list(range(len(texts)))
    random.shuffle(order)
    together = encoder.encode([texts[i] for i in order], batch_size=batch_size)
    np.testing.assert_allclose(together, alone[order], atol=2e-6)
    assert np.isfinite(together).all()


def test_long_sentences_are_encoded_fewer_at_once(monkeypatch) -> None:
    encoder = make_encoder("text.max_length=1000")
    shapes = []
    embed = encoder._inference
    monkeypatch.setattr(
        encoder, "_inference", lambda ids: (shapes.append(ids.shape), embed(ids))[1]
    )
    texts = ["密码" * 500] * 70 + ["快递"] * 70
    expected = np.array([encoder.encode(text) for text in (texts[0], texts[-1])])
    shapes.clear()
    found = encoder.encode(texts)
    np.testing.assert_allclose(found, expected.repeat(70, axis=0), atol=2e-6)
    assert max(rows * time for rows, time in shapes) <= 40_000 < 70 * 1000
    assert max(rows for rows, _ in shapes) >= 32


def test_the_empty_sentence_has_the_zero_embedding(encoder) -> None:
    for normalize in (False, True):
        assert not encoder.encode("", normalize_embeddings=normalize).any()
    assert encoder.similarity("", "快递") == 0
    assert encoder.similarity("", "") == 0


def test_normalized_embeddings_have_unit_length(encoder) -> None:
    lengths = np.linalg.norm(encoder.encode(TEXTS, normalize_embeddings=True), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 1, 0, 1, 1, 1], atol=1e-6)


def test_encode_takes_what_other_harnesses_pass(encoder) -> None:
    plain = encoder.encode(TEXTS)
    called = encoder.encode(TEXTS, prompt_name="query", device="cpu", convert_to_numpy=True)
    np.testing.assert_array_equal(plain, called)


def test_encode_refuses_wrong_arguments_beside_a_single_sentence_too(encoder) -> None:
    for wrong in ({"normalize": True}, {"batch_size": "3"}, {"show_progress_bar": "yes"}):
        for sentences in (TEXTS[0], TEXTS):
            with pytest.raises(TypeError, match=next(iter(wrong))):
                encoder.encode(sentences, **wrong)


def test_similarity_refuses_what_it_cannot_compare(encoder) -> None:
    good = encoder.encode(TEXTS)
    for compare in (encoder.similarity, encoder.is_similar):
        assert compare([], TEXTS).shape == (0, 7)
        assert compare(good.astype(np.float16), np.array(TEXTS)).shape == (7, 7)
        for wrong in (good[:, :5], good + np.nan, np.array([])):
            with pytest.raises(ValueError, match="embeddings must be"):
                compare(wrong, good)
        for wrong in (good.astype(int), list(good), ["a", ["b"]], None, {"a": 1}, b"a"):
            with pytest.raises(TypeError):
                compare(TEXTS[0], wrong)


def test_encode_refuses_what_it_would_get_wrong(encoder) -> None:
    with pytest.raises(TypeError, match="did you mean 'normalize_embeddings'"):
        encoder.encode(TEXTS, normalise_embeddings=True)
    with pytest.raises(TypeError, match="convert_to_tensor"):
        encoder.encode(TEXTS, convert_to_tensor="yes")
    with pytest.raises(TypeError, match="sentence 1 is None"):
        encoder.encode(["快递", None])
    for size in (0, -1):
        with pytest.raises(ValueError, match="batch_size"):
            encoder.encode(TEXTS, batch_size=size)


def test_encode_cuts_and_quantises_when_asked(encoder) -> None:
    whole = encoder.encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS, truncate_dim=5), whole[:, :5])
    np.testing.assert_array_equal(encoder.encode(TEXTS[0], truncate_dim=5), whole[0, :5])
    bits = encoder.encode(TEXTS[0], precision="ubinary")
    assert np.unpackbits(bits)[:12].tolist() == (whole[0] > 0).tolist()


def test_encode_takes_the_batches_of_mteb_2(encoder) -> None:
    batches = [{"text": TEXTS[:3]}, {"text": TEXTS[3:]}]
    others = {"task_metadata": None, "hf_split": "test", "hf_subset": "default"}
    found = encoder.encode(batches, prompt_type=None, **others)
    np.testing.assert_array_equal(found, encoder.encode(TEXTS))
    with pytest.raises(TypeError, match="sentence 0 is"):
        encoder.encode(batches)


@pytest.mark.parametrize("kind", ["cosine", "notebook"])
def test_pairwise_similarities_are_the_diagonal(kind) -> None:
    encoder = make_encoder(f"evaluation.similarity={kind}")
    embeddings = encoder.encode(TEXTS)
    expected = np.diag(encoder.similarity(TEXTS, TEXTS[::-1]))
    assert encoder.similarity_pairwise(TEXTS, TEXTS[::-1]).tolist() == expected.tolist()
    assert encoder.similarity_pairwise(embeddings, embeddings[::-1]).tolist() == expected.tolist()
    with pytest.raises(ValueError, match="takes pairs: 7 and 6"):
        encoder.similarity_pairwise(TEXTS, TEXTS[1:])


def test_similarity_of_sentences_lists_and_embeddings(encoder) -> None:
    a, b = TEXTS[0], TEXTS[1]
    p, q = encoder.encode([a, b]).astype(np.float64)
    expected = p @ q / (np.linalg.norm(p) * np.linalg.norm(q))
    assert encoder.similarity(a, b) == pytest.approx(expected, abs=1e-6)
    assert encoder.similarity(a, b) == pytest.approx(encoder.similarity(b, a), abs=1e-6)
    matrix = encoder.similarity([a, b], TEXTS)
    assert matrix.shape == (2, 7)
    assert matrix[0, 1] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(
        encoder.similarity(encoder.encode([a, b]), encoder.encode(TEXTS)), matrix, atol=1e-6
    )
    assert encoder.is_similar(a, a) is True
    assert encoder.is_similar(a, b) is (encoder.similarity(a, b) > 0.25)
    assert encoder.is_similar([a], TEXTS).tolist() == (matrix[:1] > 0.25).tolist()
