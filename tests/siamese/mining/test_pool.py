"""Which texts are near duplicates, and which ones a group must not have."""

import pytest

from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.mining.pool import Pool, key_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("怎么改密码", "怎么改密码？"),
        ("怎么改密码", " 怎么，改 密码!\u3000"),
        ("ＡＴＭ在哪１", "atm在哪1"),
        ("Straße", "STRASSE"),
        ("a\u200bb", "ab"),
        ("怎么改密码", "怎么改密码~"),
    ],
)
def test_texts_that_differ_in_nothing_spoken_are_near_duplicates(one, other) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("怎么改密码", "怎么改密码了"),
        ("？", "！"),
        ("？！", "怎"),
        ("第1页", "第2页"),
        ("की", "का"),  # a vowel is a mark of its own
        ("退票", "票退"),
    ],
)
def test_other_texts_are_not(one, other) -> None:
    assert key_of(one) != key_of(other)


def excluded(groups: list[Group], number: int, others: tuple[str, ...] = ()) -> set[str]:
    pool = Pool(groups, others)
    found = pool.excluded(groups[number]).tolist()
    assert all(each < pool.candidates for each in found)
    return {pool.texts[each] for each in found}


def test_a_groups_own_texts_their_near_duplicates_and_its_negatives_are_excluded() -> None:
    groups = [Group("1", ("a", "b"), ("n",)), Group("2", ("c", "d"))]
    # Of near duplicates the first in order is the candidate.
    assert excluded(groups, 0, ("A", "a!", "N?", "e")) == {"A", "b", "N?"}


def test_texts_of_groups_that_share_one_are_excluded() -> None:
    groups = [Group("1", ("a", "b")), Group("2", ("B!", "c")), Group("3", ("c", "d"))]
    assert excluded(groups, 0) == {"a", "B!", "c"}
    assert excluded(groups, 1) == {"a", "B!", "c", "d"}


@pytest.mark.parametrize(
    ("grade", "doubtful"), [(1.0, True), (0.6, True), (0.41, True), (0.4, False), (0.0, False)]
)
def test_texts_of_a_labelled_pair_are_excluded_with_their_groups_unless_it_says_that_they_differ(
    grade, doubtful
) -> None:
    groups = [
        Group("1", ("a", "b"), (), (Pair("b", "c", grade),)),
        Group("2", ("c", "d")),
        Group("3", ("e", "f")),
    ]
    assert excluded(groups, 0) == ({"a", "b", "c", "d"} if doubtful else {"a", "b"})
    assert excluded(groups, 1) == ({"a", "b", "c", "d"} if doubtful else {"c", "d"})
    assert excluded(groups, 2) == {"e", "f"}


def test_numbers_do_not_depend_on_the_order_and_candidates_come_first() -> None:
    groups = [Group("1", ("b", "a"), ("n",), (Pair("b", "p", 0),)), Group("2", ("c!", "c"))]
    one, other = Pool(groups, ("x", " ", "C")), Pool(groups[::-1], ("C", "x", "a"))
    assert one.texts == other.texts == ["C", "a", "b", "n", "p", "x", "c", "c!"]
    assert one.candidates == other.candidates == 6
    assert one.numbers(["c!", "a"]).tolist() == [7, 1]
