import pytest
from labels import labels_of

from siamese.audit.overlaps import bare, find_overlaps
from siamese.data.group import Group
from siamese.data.pair import Pair


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("怎么退票?", "怎么退票"),
        ("ＡＴＭ 在哪", "atm在哪"),
        ("１2 3！", "123"),
        ("Straße", "STRASSE"),
    ],
)
def test_width_case_spaces_and_punctuation_do_not_tell_texts_apart(text, same) -> None:
    assert bare(text) == bare(same)


def test_a_text_of_punctuation_alone_is_itself() -> None:
    assert bare("？？") != bare("!")


def test_texts_and_pairs_on_both_sides_are_found() -> None:
    labels = labels_of(
        ("怎么退票", "如何退票", 1.0), ("别的", "他的", 0.0), given=(Group("g", ("甲", "乙")),)
    )
    dev = [Pair("如何 退票？", "怎么退票", 0.0), Pair("乙", "新的", 1.0)]
    found = find_overlaps(labels, dev)
    assert found.texts == [("如何退票", "如何 退票？"), ("怎么退票", "怎么退票"), ("乙", "乙")]
    assert found.pairs == [(labels.pairs[0], dev[0])]
    assert found.texts_of_data == {"如何退票", "怎么退票", "乙"}


def test_a_pair_whose_texts_are_in_different_pairs_of_the_data_is_none() -> None:
    labels = labels_of(("a", "b", 1.0), ("c", "d", 0.0))
    found = find_overlaps(labels, [Pair("a", "c", 1.0)])
    assert found.pairs == []
    assert len(found.texts) == 2
