"""Characters <-> ids."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary, count_characters

unicode_text = st.text(st.characters(codec="utf-8"))
# Few distinct characters, so that texts share them and some stay unknown; astral ones among them.
texts = st.lists(unicode_text | st.text("ab我们A😱𠀀"))


def naive_encode(vocabulary: Vocabulary, texts: list[str], max_length: int) -> list[list[int]]:
    ids = {character: id for id, character in enumerate(vocabulary.characters, start=2)}
    longest = max((min(len(text), max_length) for text in texts), default=0)
    width = 8
    while width < longest:
        width += 8
    width = min(width, max_length)
    rows = []
    for text in texts:
        row = [ids.get(character, 1) for character in text[:max_length]]
        rows.append(row + [0] * (width - len(row)))
    return rows


class TestIds:
    def test_fall_with_frequency_and_ties_go_by_code_point(self):
        vocabulary = Vocabulary(Counter("ccccbbbb我我aa😱z"))
        assert vocabulary.characters == ["b", "c", "a", "我", "z", "😱"]
        assert len(vocabulary) == 8
        assert vocabulary.encode(["bcz😱?"], max_length=8).tolist() == [[2, 3, 6, 7, 1, 0, 0, 0]]

    @given(texts)
    def test_depend_on_the_counts_only(self, texts):
        counts = count_characters(texts)
        assert counts == Counter("".join(texts))
        turned = dict(reversed(counts.items()))
        vocabulary = Vocabulary(counts)
        assert Vocabulary(turned).characters == vocabulary.characters
        ranks = [(-counts[c], ord(c)) for c in vocabulary.characters]
        assert ranks == sorted(ranks)
        assert vocabulary.counts == counts

    def test_of_characters_rarer_than_min_count_are_unknown(self):
        vocabulary = Vocabulary(Counter("aaabbc"), min_count=2)
        assert vocabulary.characters == ["a", "b"]
        assert vocabulary.encode(["abc"], max_length=3).tolist() == [[2, 3, 1]]

    def test_of_upper_and_lower_case_are_one_when_lowercase(self):
        vocabulary = Vocabulary({"A": 2, "a": 3, "b": 4, "İ": 1}, lowercase=True)
        assert vocabulary.counts == {"a": 5, "b": 4, "i": 1, "\u0307": 1}
        assert vocabulary.encode(["AaB"], max_length=8)[0, :3].tolist() == [2, 2, 3]

    def test_of_upper_and_lower_case_differ_otherwise(self):
        assert Vocabulary({"A": 2, "a": 3}).encode(["aA"], max_length=2).tolist() == [[2, 3]]

    def test_min_count_counts_after_lowercasing(self):
        assert Vocabulary({"A": 1, "a": 1}, lowercase=True, min_count=2).characters == ["a"]

    @given(texts, st.booleans())
    def test_are_known_for_every_character_that_was_counted(self, texts, lowercase):
        vocabulary = Vocabulary(count_characters(texts), lowercase=lowercase)
        assert not (vocabulary.encode(texts, max_length=10_000) == 1).any()

    def test_a_greek_sigma_is_known_at_the_end_of_a_word_too(self):
        # "ΟΔΟΣ".lower() ends in another sigma than "Σ".lower().
        vocabulary = Vocabulary(count_characters(["ΟΔΟΣ"]), lowercase=True)
        assert 1 not in vocabulary.encode(["ΟΔΟΣ"], max_length=4)


class TestEncode:
    @given(texts, texts, st.integers(1, 40), st.integers(1, 3))
    def test_equals_a_loop_over_the_characters(self, known, texts, max_length, min_count):
        vocabulary = Vocabulary(count_characters(known), min_count=min_count)
        ids = vocabulary.encode(texts, max_length)
        assert ids.dtype == np.int32
        assert ids.tolist() == naive_encode(vocabulary, texts, max_length)
        assert ids.shape[0] == len(texts)

    @given(texts, st.integers(1, 20))
    def test_folds_case_before_it_cuts(self, texts, max_length):
        vocabulary = Vocabulary(count_characters(texts), lowercase=True)
        folded = [text.casefold() for text in texts]
        expected = naive_encode(vocabulary, folded, max_length)
        assert vocabulary.encode(texts, max_length).tolist() == expected

    @pytest.mark.parametrize(
        ("length", "max_length", "width"),
        [
            (0, 64, 8),
            (1, 64, 8),
            (8, 64, 8),
            (9, 64, 16),
            (63, 64, 64),
            (65, 64, 64),
            (9, 12, 12),
            (1, 5, 5),
            (99, 1, 1),
        ],
    )
    def test_width_is_the_longest_text_rounded_up_to_8_and_capped(self, length, max_length, width):
        assert Vocabulary({"a": 1}).encode(["a" * length, "a"], max_length).shape == (2, width)

    def test_width_can_be_set(self):
        ids = Vocabulary({"a": 1}).encode(["a", "aaaaa"], max_length=4, length=6)
        assert ids.tolist() == [[2, 0, 0, 0, 0, 0], [2, 2, 2, 2, 0, 0]]

    def test_no_texts_give_no_rows(self):
        assert Vocabulary({"a": 1}).encode([], max_length=64).shape == (0, 8)

    def test_an_empty_vocabulary_knows_nothing(self):
        assert Vocabulary({}).encode(["a\0"], max_length=2).tolist() == [[1, 1]]

    def test_code_points_beyond_the_table_are_unknown(self):
        ids = Vocabulary({"a": 1}).encode(["b\U0010ffff\ud800a"], max_length=4)
        assert ids.tolist() == [[1, 1, 1, 2]]


class TestFile:
    @given(texts, st.booleans(), st.integers(1, 3))
    def test_comes_back_as_it_was(self, tmp_path_factory, texts, lowercase, min_count):
        path = tmp_path_factory.getbasetemp() / "vocabulary.json"
        saved = Vocabulary(count_characters(texts), lowercase, min_count)
        saved.save(path)
        loaded = Vocabulary.load(path)
        assert loaded.characters == saved.characters
        assert loaded.counts == saved.counts
        assert loaded.lowercase == lowercase
        np.testing.assert_array_equal(loaded.encode(texts, 64), saved.encode(texts, 64))

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: "",
            lambda text: text[:-5],
            lambda text: "[]",
            lambda text: "null",
            lambda text: "{}",
            lambda text: text.replace('"version": 1', '"version": 2'),
            lambda text: text.replace('"version": 1,', ""),
            lambda text: text.replace('"characters": "ab"', '"characters": "abc"'),
            lambda text: text.replace('"characters": "ab"', '"characters": ["ab", "c"]'),
            lambda text: text.replace('"characters": "ab"', '"characters": "aa"'),
            lambda text: text.replace('"characters": "ab"', '"characters": 5'),
            lambda text: text.replace("2,", '"2",'),
            lambda text: text.replace("2,", "null,"),
            lambda text: text.replace("ab", "a\\ud800") + "x",
            lambda text: "\udcff" + text,
        ],
    )
    def test_that_is_damaged_is_refused_by_name(self, tmp_path, damage):
        path = tmp_path / "vocabulary.json"
        Vocabulary({"a": 2, "b": 1}).save(path)
        before = path.read_text(encoding="utf-8")
        assert json.loads(before)["characters"] == "ab"
        after = damage(before)
        assert after != before
        path.write_bytes(after.encode("utf-8", "surrogateescape"))
        with pytest.raises(UserError) as error:
            Vocabulary.load(path)
        assert str(path) in str(error.value)

    def test_that_is_missing_is_refused_by_name(self, tmp_path):
        with pytest.raises(UserError, match=r"none\.json: no such file"):
            Vocabulary.load(tmp_path / "none.json")
