"""Probabilities, verdicts and explanations of an encoder."""

import shutil

import numpy as np
import pytest
from small_encoder import small_encoder

from siamese import SentenceEncoder, UserError
from siamese.encoder.calibration import Logistic


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    made = small_encoder()
    made.calibrator = Logistic(6.0, -3.0)
    return made


def test_a_probability_has_the_shape_of_the_similarity_and_is_its_curve(encoder) -> None:
    texts = ["怎么修改密码", "快递到哪了", ""]
    expected = 1 / (1 + np.exp(3.0 - 6.0 * encoder.similarity(texts, texts[:2])))
    np.testing.assert_allclose(encoder.probability(texts, texts[:2]), expected, rtol=1e-9)
    single = encoder.probability(texts[0], texts[1])
    assert isinstance(single, float)
    assert single == pytest.approx(expected[0, 1])


def test_a_verdict_is_that_of_the_probability(encoder) -> None:
    assert encoder.verdict("怎么修改密码", "怎么修改密码") == "similar"
    assert encoder.verdict("怎么修改密码", "") == "different"


def test_a_model_without_a_calibrator_says_so() -> None:
    encoder = small_encoder()
    with pytest.raises(UserError, match="no calibrator"):
        encoder.probability("a", "b")


def test_a_saved_model_keeps_its_calibrator_and_an_older_one_has_none(encoder, tmp_path) -> None:
    encoder.save(tmp_path / "model")
    assert SentenceEncoder.load(tmp_path / "model").calibrator == encoder.calibrator
    small_encoder().save(tmp_path / "older")
    assert not (tmp_path / "older" / "calibration.json").exists()
    assert SentenceEncoder.load(tmp_path / "older").calibrator is None


@pytest.mark.parametrize("damage", ["gone", "altered", "another"])
def test_a_damaged_calibrator_is_refused(encoder, tmp_path, damage: str) -> None:
    encoder.save(tmp_path / "model")
    path = tmp_path / "model" / "calibration.json"
    if damage == "gone":
        path.unlink()
    elif damage == "altered":
        path.write_text(path.read_text().replace("6.0", "7.0"))
    else:  # one that the manifest of a model without it does not name
        small_encoder().save(tmp_path / "older")
        shutil.copyfile(path, tmp_path / "older" / "calibration.json")
        path = tmp_path / "older" / "calibration.json"
    with pytest.raises(UserError, match=r"calibration\.json"):
        SentenceEncoder.load(path.parent)


def test_a_contribution_is_what_the_similarity_loses_without_the_character(encoder) -> None:
    one, other = "怎么修改密码", "如何更改密码"
    explanation = encoder.explain(one, other)
    whole = encoder.similarity(one, other)
    assert explanation.similarity == whole
    for i, contribution in enumerate(explanation.contributions1):
        assert contribution == whole - encoder.similarity(one[:i] + one[i + 1 :], other)
    for i, contribution in enumerate(explanation.contributions2):
        assert contribution == whole - encoder.similarity(one, other[:i] + other[i + 1 :])


def test_an_explanation_of_a_text_with_itself_is_the_same_for_both(encoder) -> None:
    explanation = encoder.explain("快递到哪了", "快递到哪了")
    assert explanation.contributions1 == explanation.contributions2


def test_what_the_encoder_does_not_read_contributes_nothing(encoder) -> None:
    most = encoder.recipe.text.max_length
    text = "密" * most + "码" * 5
    explanation = encoder.explain(text, "密码")
    assert len(explanation.contributions1) == most + 5
    assert explanation.contributions1[most:] == (0.0,) * 5
    # Nothing moves up into the place of a character that is left out.
    shorter = encoder.similarity("密" * (most - 1), "密码")
    assert explanation.contributions1[0] == explanation.similarity - shorter


def test_texts_of_none_or_one_character_are_explained(encoder) -> None:
    explanation = encoder.explain("", "密")
    assert explanation.similarity == 0
    assert explanation.contributions1 == () and explanation.contributions2 == (0.0,)
    one = encoder.explain("密", "密码")
    assert one.contributions1 == (one.similarity,)


def test_only_two_sentences_are_explained(encoder) -> None:
    with pytest.raises(TypeError, match="two sentences"):
        encoder.explain(["a"], "b")


def test_a_fingerprint_changes_with_what_decides_similarities_and_nothing_else(tmp_path) -> None:
    encoder = small_encoder()
    encoder.save(tmp_path / "model")
    loaded = SentenceEncoder.load(tmp_path / "model")
    loaded.threshold, loaded.calibrator = 0.9, Logistic(1.0, 0.0)
    assert loaded.fingerprint == encoder.fingerprint
    others = [
        small_encoder("text.max_length=32"),
        small_encoder("text.lowercase=false"),
        small_encoder("encoder.pooling=last"),
        small_encoder("evaluation.similarity=notebook"),
        small_encoder(seed=8),
    ]
    assert len({each.fingerprint for each in (encoder, *others)}) == 6
