"""What a user is told of texts."""

import pytest

from siamese.text.notes import notes_on
from siamese.text.vocabulary import Vocabulary

KNOWN = Vocabulary(dict.fromkeys("abc 。", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("안녕하세요", 1),
        ("날씨가 좋다。", 1),  # a space and a full stop tell nothing
        ("🎉🎉", 1),
        ("！", 1),
        ("xyz", 1),
        ("xyzabc", 1),  # of which three characters are read
        ("xya", 0),
        ("abc", 0),
        ("。", 0),
        (" 。", 0),
        ("", 0),
    ],
)
def test_texts_of_only_unknown_characters_are_counted(text, expected) -> None:
    assert KNOWN.count_unknown([text], max_length=3) == expected
    assert KNOWN.count_unknown([text] * 3 + ["a"], max_length=3) == 3 * expected


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("abc", 0), ("cab。", 0), ("abcx", 0), ("abx", 1), ("！", 1)]
)
def test_texts_with_an_unknown_character_are_counted(text, expected) -> None:
    assert KNOWN.count_partly_unknown(["a", text], max_length=3) == expected


def test_case_is_folded_as_the_vocabulary_does() -> None:
    assert KNOWN.count_unknown(["ABC"], 9) == 1
    assert Vocabulary({"a": 1}, lowercase=True).count_unknown(["ABC"], 9) == 0


def test_notes_say_how_many_texts_are_cut_and_how_many_unknown() -> None:
    assert notes_on(["abc", "a", ""], KNOWN, 3) == []
    cut, unknown = notes_on(["abca", "x", *["ab"] * 2997, "y"], KNOWN, 3)
    assert cut == "1 texts longer than 3 characters were cut"
    assert unknown.startswith("2 of 3,000 texts hold only unknown characters")
    (one,) = notes_on(["x"], KNOWN, 3)
    assert one.startswith("1 of 1 text holds only unknown characters")
