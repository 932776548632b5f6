import pytest

from siamese.audit.labels import read_labels
from siamese.data.group import Group
from siamese.data.in_memory import data_set_of
from siamese.data.pair import Pair
from siamese.errors import UserError

PAIRS = [Pair("a1", "a2", 1.0), Pair("a2", "a3", 1.0), Pair("a1", "b1", 0.0), Pair("b1", "b2", 1.0)]


def of(source, folder):
    return read_labels(data_set_of(source, folder / "data"))


def test_each_labelled_pair_is_there_once_with_its_grade(tmp_path) -> None:
    labels = of(PAIRS, tmp_path)
    found = {(pair.text1, pair.text2): pair.grade for pair in labels.pairs}
    assert found == {(pair.text1, pair.text2): pair.grade for pair in PAIRS}
    assert sorted(labels.texts) == ["a1", "a2", "a3", "b1", "b2"]
    for pair, (first, second) in zip(labels.pairs, labels.ends.tolist(), strict=True):
        assert (pair.text1, pair.text2) == (labels.texts[first], labels.texts[second])
    assert labels.are_positive.tolist() == [grade == 1 for grade in labels.grades]


def test_groups_that_pairs_join_are_not_given(tmp_path) -> None:
    labels = of(PAIRS, tmp_path)
    assert labels.given == []
    assert set(labels.owners) == {-1}


def test_a_group_with_more_texts_than_its_pairs_join_is_given_and_owns_them(tmp_path) -> None:
    pair = Pair("a1", "a2", 1.0)
    labels = of([Group("g", ("a1", "a2", "a3"), ("n",), (pair,)), Group("h", ("x", "y"))], tmp_path)
    assert {(group.id, group.texts, group.negatives, group.pairs) for group in labels.given} == {
        ("g", ("a1", "a2", "a3"), ("n",), ()),
        ("h", ("x", "y"), (), ()),
    }
    assert list(labels.pairs) == [pair]
    assert labels.given[labels.owners[0]].id == "g"


def test_a_pair_that_was_labelled_1_and_0_joined_its_group(tmp_path) -> None:
    labels = of([Pair("a", "b", 1.0), Pair("a", "b", 0.0)], tmp_path)
    assert labels.given == []
    assert [pair.grade for pair in labels.pairs] == [0.5]


def test_groups_without_labels_are_nothing_to_audit(tmp_path) -> None:
    with pytest.raises(UserError, match="holds no labelled pairs"):
        of({"1": ["a", "b"]}, tmp_path)
