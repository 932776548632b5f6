from itertools import combinations

import numpy as np
from labels import labels_of

from siamese.audit.bridges import MOST_ACROSS, bridge_pairs, find_bridges
from siamese.audit.folds import components
from siamese.data.group import Group


def triangle(name: str) -> list[tuple[str, str, float]]:
    return [(f"{name}{i}", f"{name}{j}", 1.0) for i, j in combinations(range(3), 2)]


def test_a_pair_that_alone_joins_two_parts_is_found_with_both() -> None:
    labels = labels_of(*triangle("a"), ("b1", "a0", 1.0), *triangle("b"), ("a0", "b0", 0.0))
    [bridge] = find_bridges(labels)
    assert bridge.pair == 3
    sides = [{labels.texts[text] for text in side} for side in bridge.sides]
    assert sides == [{"b0", "b1", "b2"}, {"a0", "a1", "a2"}]
    across = {tuple(labels.texts[text] for text in pair) for pair in bridge.across()}
    assert across == {(b, a) for b in sides[0] for a in sides[1]} - {("b1", "a0")}


def test_a_text_that_hangs_on_one_pair_is_no_part_of_a_group() -> None:
    assert find_bridges(labels_of(*triangle("a"), ("a0", "alone", 1.0))) == []


def test_a_given_group_needs_no_bridge() -> None:
    pairs = [*triangle("a"), ("a0", "b0", 1.0), *triangle("b")]
    given = Group("g", ("a0", "b0"))
    assert len(find_bridges(labels_of(*pairs))) == 1
    assert find_bridges(labels_of(*pairs, given=(given,))) == []


def test_large_parts_are_compared_in_part() -> None:
    left = [("a", f"a{n}", 1.0) for n in range(40)]
    right = [("b", f"b{n}", 1.0) for n in range(40)]
    bridges = find_bridges(labels_of(*left, ("a", "b", 1.0), *right))
    across = next(each for each in bridges if each.pair == 40).across()
    assert len(across) == len(set(across)) == MOST_ACROSS


def test_bridges_are_the_pairs_whose_removal_leaves_more_components() -> None:
    rng = np.random.default_rng(3)
    ends = {tuple(sorted(pair)) for pair in rng.integers(40, size=(45, 2)).tolist()}
    labels = labels_of(*((f"t{a}", f"t{b}", 1.0) for a, b in sorted(ends) if a != b))
    count = len(labels.texts)
    whole = len(set(components(count, labels.ends).tolist()))
    expected = [
        number
        for number in range(len(labels.pairs))
        if len(set(components(count, np.delete(labels.ends, number, axis=0)).tolist())) > whole
    ]
    assert bridge_pairs(labels) == expected
    assert 0 < len(expected) < len(labels.pairs)
