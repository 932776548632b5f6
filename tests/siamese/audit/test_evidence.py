import numpy as np
import pytest
from labels import labels_of

from siamese.audit.evidence import characters_that_differ, evidence, joined_by_others
from siamese.data.group import Group

# The columns of `evidence`: the score, six of characters, four degrees, two of third texts, one of
# groups.
SCORE, CHARACTERS, DEGREES, THIRD, JOINED = 0, slice(1, 7), slice(7, 11), slice(11, 13), 13


def rows(labels, scores=None, folds=None) -> np.ndarray:
    count = len(labels.pairs)
    scores = np.zeros(count) if scores is None else scores
    return evidence(labels, scores, np.zeros(count, int) if folds is None else folds)


def test_scores_of_each_fold_are_brought_to_one_scale() -> None:
    labels = labels_of(*((f"a{n}", f"b{n}", 0.0) for n in range(6)))
    scores = np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0])
    found = rows(labels, scores, np.array([0, 0, 0, 1, 1, 1]))[:, SCORE]
    assert found[:3] == pytest.approx(found[3:])
    assert found.mean() == pytest.approx(0)


def test_equal_scores_say_nothing() -> None:
    assert (rows(labels_of(("a", "b", 1.0), ("c", "d", 0.0)))[:, SCORE] == 0).all()


def test_characters_are_counted_as_often_as_they_occur() -> None:
    # 3 of the 4 + 5 characters are in both (a, a, b), and of the neighbours only `ab`.
    found = rows(labels_of(("aabx", "baab?", 1.0)))[0, CHARACTERS]
    neighbours = len({"aa", "ab", "bx"} & {"ba", "aa", "ab", "b?"}) / 5
    assert found == pytest.approx([3 / 6, neighbours, 3, 4, 5, 1])


def test_a_pair_does_not_count_its_own_label() -> None:
    one, other = (
        rows(labels_of(("q", "p", grade), ("q", "n", 0.0), ("x", "p", 1.0)))[0] for grade in (0, 1)
    )
    assert (one == other).all()
    assert one[DEGREES].tolist() == [0, 1, 1, 0]


def test_third_texts_that_are_the_same_or_differ_are_counted() -> None:
    labels = labels_of(
        ("a", "b", 1.0), ("a", "c", 1.0), ("b", "c", 1.0), ("b", "d", 0.0), ("a", "d", 1)
    )
    assert rows(labels)[0, THIRD].tolist() == [1, 1]


def test_texts_that_others_join_are_known_however_many_steps_it_takes() -> None:
    chain = [("a", "b", 1.0), ("b", "c", 1.0), ("c", "d", 1.0)]
    labels = labels_of(
        *chain, ("a", "d", 0.0), ("a", "x", 0.0), ("h", "k", 0.0), given=(Group("g", ("h", "k")),)
    )
    assert joined_by_others(labels).tolist() == [False, False, False, True, False, True]
    assert joined_by_others(labels_of(*chain, ("a", "d", 1.0))).all()
    assert rows(labels)[:, JOINED].tolist() == [0, 0, 0, 1, 0, 1]


def test_characters_that_both_have_and_that_one_has_are_told_apart() -> None:
    labels = labels_of(*((f"甲乙{n}", "甲丙", 1.0) for n in range(5)), ("丙", "丁", 0.0))
    found = characters_that_differ(labels).toarray()
    assert set(found.ravel().tolist()) == {0, 1}
    both, one = np.split(found, 2, axis=1)
    assert not (both * one).any()
    # Both have 甲; one has 乙 and 甲乙; 丙 and the numbers are in too few texts.
    assert both[0].sum() == 1
    assert one[0].sum() == 2
