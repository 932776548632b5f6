"""Other forms of characters, made one with the usual ones."""

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.errors import UserError
from siamese.text.normalization import usual_forms
from siamese.text.notes import notes_on
from siamese.text.vocabulary import Vocabulary, count_characters

HOW = ("none", "nfkc", "simplified", "nfkc+simplified")
texts = st.lists(
    st.text(st.characters(codec="utf-8") | st.sampled_from("ＡＢ１２，ﾊﾟ㈱ﷺ①ſßéẛ開戶開户裡發苧薴"))
)


@pytest.fixture(autouse=True)
def _opencc() -> None:
    pytest.importorskip("opencc", reason="the extra opencc")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("none", "ＡＢ１２，㈱開戶"),
        ("nfkc", "AB12,(株)開戶"),
        ("simplified", "ＡＢ１２，㈱开户"),
        ("nfkc+simplified", "AB12,(株)开户"),
    ],
)
def test_each_way_makes_its_own_forms_one(how, expected) -> None:
    assert "ＡＢ１２，㈱開戶".translate(usual_forms(how)) == expected


def test_nfkc_is_that_of_each_character_of_unicode() -> None:
    forms = usual_forms("nfkc")
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    different = [p for p in points if unicodedata.normalize("NFKC", chr(p)) != chr(p)]
    assert [*forms] == different
    assert all(forms[p] == unicodedata.normalize("NFKC", chr(p)) for p in different)


@pytest.mark.parametrize("how", HOW)
def test_a_usual_form_stays(how) -> None:
    forms = usual_forms(how)
    assert all(form.translate(forms) == form for form in forms.values())


@pytest.mark.parametrize("how", HOW)
@given(texts)
def test_characters_counted_and_then_normalized_are_those_of_normalized_texts(how, texts) -> None:
    """What a data set counted is enough for the vocabulary of a run, whatever its recipe says."""
    by_counts = Vocabulary(count_characters(texts), lowercase=True, normalize=how)
    read = [text.translate(usual_forms(how)).casefold() for text in texts]
    assert by_counts.counts == Vocabulary(count_characters(read)).counts
    ids = Vocabulary(count_characters(read)).encode(read, max_length=9)
    np.testing.assert_array_equal(by_counts.encode(texts, max_length=9), ids)


def test_a_text_is_normalized_before_it_is_cut_and_before_unknown_ones_are_counted() -> None:
    vocabulary = Vocabulary({"株": 1, "(": 1, ")": 1, "a": 1}, True, normalize="nfkc")
    [row] = vocabulary.encode(["㈱Ａ"], max_length=3).tolist()
    assert [vocabulary.characters[id - 2] for id in row] == ["(", "株", ")"]
    assert notes_on(["㈱Ａ"], vocabulary, max_length=3) == [
        "1 texts longer than 3 characters were cut"
    ]
    assert vocabulary.count_unknown(["Ａ", "Ｂ"], max_length=3) == 1


@pytest.mark.parametrize("how", HOW)
def test_a_vocabulary_loads_as_it_was_saved(how, tmp_path) -> None:
    vocabulary = Vocabulary(count_characters(["Ａa開开㈱"]), True, normalize=how)
    vocabulary.save(tmp_path / "v.json")
    loaded = Vocabulary.load(tmp_path / "v.json")
    assert (loaded.normalize, loaded.counts) == (how, vocabulary.counts)
    np.testing.assert_array_equal(loaded.encode(["Ａ開㈱"], 8), vocabulary.encode(["Ａ開㈱"], 8))
    assert ("normalize" in (tmp_path / "v.json").read_text()) == (how != "none")


def test_a_vocabulary_of_an_unknown_way_is_refused(tmp_path) -> None:
    path = tmp_path / "v.json"
    Vocabulary({"a": 1}, normalize="nfkc").save(path)
    path.write_text(path.read_text().replace("nfkc", "nfd"))
    with pytest.raises(UserError, match="normalize is 'nfd'"):
        Vocabulary.load(path)


def test_without_opencc_a_sentence_names_the_package(monkeypatch, tmp_path) -> None:
    path = tmp_path / "v.json"
    Vocabulary({"a": 1}, normalize="simplified").save(path)
    monkeypatch.setitem(sys.modules, "opencc", None)
    usual_forms.cache_clear()
    for make in (
        lambda: Vocabulary.load(path),
        lambda: Vocabulary({}, normalize="nfkc+simplified"),
    ):
        with pytest.raises(UserError, match=r"siamese-ray\[opencc\]"):
            make()
    assert usual_forms("nfkc")[ord("Ａ")] == "A"
