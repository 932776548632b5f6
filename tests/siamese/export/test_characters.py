"""A table from characters to ids gives what the vocabulary gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamese.export.characters import character_ids, padded_ids, readings
from siamese.testing.exporters import make_encoder
from siamese.text.vocabulary import Vocabulary

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KINDS = {
    "as it is": Vocabulary({"a": 3, "A": 2, "ß": 1}),
    "folded": make_encoder("mean").vocabulary,
    "folded and usual": make_encoder("mean", normalize="nfkc").vocabulary,
    "empty": Vocabulary({}, lowercase=True),
}
IDS = {kind: character_ids(vocabulary) for kind, vocabulary in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(text=TEXT)
def test_any_text_has_the_ids_that_the_vocabulary_gives_it(kind, text) -> None:
    ids = IDS[kind]
    expected = KINDS[kind].encode([text], 12)[0]
    found = np.array(padded_ids([text], ids, 12)[0])
    np.testing.assert_array_equal(found[found != 0], expected[expected != 0])


def test_odd_case_is_in_the_table() -> None:
    vocabulary = Vocabulary({"s": 2, "i": 1}, lowercase=True)
    ids = character_ids(vocabulary)
    assert [ids[c] for c in "sSſßẞİ"] == [[2], [2], [2], [2, 2], [2, 2], [3, 1]]
    # Two unknown characters are not one.
    assert ids["ﬀ"] == [1, 1]
    assert not {"x", "X", "快"} & ids.keys()


def test_a_character_that_is_never_looked_up_has_the_ids_of_what_is() -> None:
    """As in a vocabulary of another release, whose tables were others."""
    vocabulary = Vocabulary({"a": 2, "b": 1})
    vocabulary.lowercase = True
    vocabulary._number({"A": 9, "a": 2}, 1)
    ids = character_ids(vocabulary)
    assert ids["A"] == ids["a"] == [3]


def test_what_is_read_as_it_is_is_not_listed() -> None:
    assert readings(KINDS["as it is"]) == {}
    assert readings(KINDS["folded"])["É"] == "é"
    assert "é" not in readings(KINDS["folded"])


def test_rows_are_cut_and_padded_to_the_longest() -> None:
    assert padded_ids(["aab", "", "x"], {"a": [2], "b": [3, 4]}, 3) == [
        [2, 2, 3],
        [0, 0, 0],
        [1, 0, 0],
    ]
    assert padded_ids([""], {}, 5) == [[0]]
    assert padded_ids([], {}, 5) == []
