"""Joining labelled pairs into groups, and what cannot be used."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.joining import join_pairs, joined_groups
from siamese.data.pair import Pair

texts = st.sampled_from("abcdefghij")
pair_lists = st.lists(st.builds(Pair, texts, texts, st.sampled_from([0, 1])), min_size=1)


graded_lists = st.lists(
    st.builds(Pair, texts, texts, st.sampled_from([0, 0.2, 0.4, 0.5, 0.7, 0.8, 1])), min_size=1
)


def naive_components(pairs: list[Pair]) -> list[list[str]]:
    """The connected components of the positive pairs by breadth-first search, as first seen."""
    seen_in_order = list(dict.fromkeys(text for pair in pairs for text in (pair.text1, pair.text2)))
    neighbours: dict[str, set[str]] = {text: set() for text in seen_in_order}
    for pair in pairs:
        if pair.label == 1:
            neighbours[pair.text1].add(pair.text2)
            neighbours[pair.text2].add(pair.text1)
    components: list[list[str]] = []
    done: set[str] = set()
    for start in seen_in_order:
        if start in done:
            continue
        reached, queue = {start}, deque([start])
        while queue:
            new = neighbours[queue.popleft()] - reached
            reached |= new
            queue.extend(new)
        done |= reached
        components.append([text for text in seen_in_order if text in reached])
    return components


@given(pair_lists)
def test_groups_are_the_connected_components_of_the_positives_in_first_seen_order(pairs):
    groups = join_pairs(pairs).groups
    components = naive_components(pairs)
    assert [list(own) for own, _ in groups if len(own) > 1] == [c for c in components if len(c) > 1]


@given(pair_lists)
def test_negatives_are_the_negative_partners_of_a_groups_texts_and_never_its_own(pairs):
    joined = join_pairs(pairs)
    groups, contradicting = joined.groups, joined.contradicting
    component = {text: i for i, c in enumerate(naive_components(pairs)) for text in c}
    negative = [(p.text1, p.text2) for p in pairs if p.label == 0]
    across = [(a, b) for a, b in negative if component[a] != component[b]]
    assert contradicting == len(negative) - len(across)
    for own, negatives in groups:
        if len(own) == 1:
            continue
        expected = {b for a, b in across if a in own} | {a for a, b in across if b in own}
        assert set(negatives) == expected
        assert len(negatives) == len(expected)
        assert not set(negatives) & set(own)


@given(pair_lists)
def test_every_negative_pair_outside_the_groups_is_kept_once(pairs):
    component = {text: c for c in naive_components(pairs) for text in c}
    alone = {
        frozenset((p.text1, p.text2))
        for p in pairs
        if p.label == 0
        and p.text1 != p.text2
        and len(component[p.text1]) == len(component[p.text2]) == 1
    }
    kept = [
        frozenset((own[0], negative))
        for own, negatives in join_pairs(pairs).groups
        if len(own) == 1
        for negative in negatives
    ]
    # Twice, where a text became a group after the pair had gone to the other.
    assert set(kept) == alone


@given(pair_lists)
def test_negatives_are_symmetrical(pairs):
    groups = join_pairs(pairs).groups
    of = {
        text: (set(own), set(negatives))
        for own, negatives in groups
        if len(own) > 1
        for text in own
    }
    for own, negatives in groups:
        if len(own) == 1:
            continue
        for negative in negatives:
            assert negative not in of or of[negative][1] & set(own)


@given(pair_lists)
def test_the_same_pairs_give_the_same_groups_in_the_same_order(pairs):
    assert join_pairs(pairs) == join_pairs(list(pairs))


@given(pair_lists)
def test_the_two_texts_of_the_pairs_may_be_turned(pairs):
    joined = join_pairs(pairs)
    groups, contradicting = joined.groups, joined.contradicting
    joined = join_pairs([Pair(p.text2, p.text1, p.label) for p in pairs])
    turned, contradicting_turned = joined.groups, joined.contradicting
    assert contradicting_turned == contradicting
    assert {(frozenset(own), frozenset(negatives)) for own, negatives in groups} == {
        (frozenset(own), frozenset(negatives)) for own, negatives in turned
    }


def test_an_example_by_hand():
    # a-b-c are joined; d-e are; a/c contradicts them; c/d separates the two groups; x is alone.
    pairs = [
        Pair("a", "b", 1),
        Pair("d", "e", 1),
        Pair("c", "d", 0),
        Pair("a", "c", 0),
        Pair("c", "b", 1),
        Pair("e", "x", 0),
        Pair("c", "d", 0),
    ]
    joined = join_pairs(pairs)
    assert joined.groups == [(("a", "b", "c"), ("d",)), (("d", "e"), ("c", "x"))]
    assert joined.contradicting == 1


def test_a_long_chain_is_one_group():
    chain = [Pair(str(i), str(i + 1), 1) for i in range(20_000)]
    joined = join_pairs(chain)
    [(own, negatives)], contradicting = joined.groups, joined.contradicting
    assert own == tuple(map(str, range(20_001)))
    assert (negatives, contradicting) == ((), 0)


def test_what_cannot_be_used_is_counted():
    pairs = [
        Pair("a", "a", 1),  # a group of one text
        Pair("b", "c", 1),
        Pair("h", "e", 0),  # neither is in a group: e becomes one
        Pair("b", "d", 0),
        Pair("f", "f", 1),  # joined to g by the next
        Pair("f", "g", 1),
    ]
    joined = join_pairs(pairs)
    assert joined.groups == [(("b", "c"), ("d",)), (("e",), ("h",)), (("f", "g"), ())]
    assert (joined.single, joined.contradicting) == (1, 0)


@given(graded_lists)
def test_every_labelled_pair_is_kept_once_with_its_mean_grade_and_one_of_its_texts(pairs):
    given: dict[frozenset[str], list[float]] = {}
    for pair in pairs:
        if pair.text1 != pair.text2:
            given.setdefault(frozenset((pair.text1, pair.text2)), []).append(pair.grade)
    joined = join_pairs(pairs)
    kept = [pair for own in joined.labelled for pair in own]
    assert {frozenset((p.text1, p.text2)) for p in kept} == given.keys()
    assert len(kept) == len(given)
    for pair in kept:
        grades = given[frozenset((pair.text1, pair.text2))]
        assert abs(pair.grade - sum(grades) / len(grades)) < 1e-9
        assert pair.grade in grades or len(set(grades)) > 1
    assert joined.contradicting_labels == sum(len(set(grades)) > 1 for grades in given.values())
    for (own, negatives), labelled in zip(joined.groups, joined.labelled, strict=True):
        assert len(own) > 1 or negatives or labelled
        for pair in labelled:
            assert {pair.text1, pair.text2} & set(own)


@given(graded_lists)
def test_what_is_graded_between_joins_and_parts_nothing(pairs):
    decided = [Pair(p.text1, p.text2, p.label) for p in pairs if not 0.4 < p.grade < 0.8]
    joined, alone = join_pairs(pairs), join_pairs(decided)
    with_more = [group for group in joined.groups if len(group[0]) > 1 or group[1]]
    assert sorted((sorted(own), sorted(negatives)) for own, negatives in with_more) == sorted(
        (sorted(own), sorted(negatives)) for own, negatives in alone.groups
    )


def test_labelled_pairs_by_hand():
    pairs = [
        Pair("a", "b", 1),
        Pair("x", "a", 0.2),  # with a, whose group is of several texts
        Pair("a", "b", 0),  # inside a group: no hard negative, and the grades differ
        Pair("u", "v", 0.6),  # neither is in a group: u becomes one
        Pair("w", "v", 0.5),  # neither v nor w is one yet: v, the smaller
        Pair("b", "a", 1),
        Pair("c", "c", 1),
        Pair("v", "u", 0.6),  # again
    ]
    counts = ReadingCounts()
    assert list(joined_groups(pairs, "", counts)) == [
        Group("0", ("a", "b"), ("x",), (Pair("a", "b", 2 / 3), Pair("x", "a", 0.2))),
        Group("1", ("u",), (), (Pair("u", "v", 0.6),)),
        Group("2", ("v",), (), (Pair("w", "v", 0.5),)),
    ]
    assert (counts.pairs_read, counts.contradicting_labels) == (8, 1)
    assert (counts.contradicting_negatives_dropped, counts.groups_of_one_text_dropped) == (1, 1)
