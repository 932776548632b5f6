import numpy as np

from siamese.audit.labels import Labels
from siamese.audit.pieces import pieces_of
from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.pair import Pair

PAIRS = [
    Pair("a", "b", 1.0),
    Pair("b", "c", 1.0),
    Pair("c", "d", 1.0),
    Pair("g1", "n", 0.0),
    Pair("g2", "m", 0.0),
]
GIVEN = [Group("g", ("g1", "g2", "g3"), ("n", "m")), Group("pairs/h", ("h1", "h2"))]


def groups(kept: list[int], without: set[str] = frozenset(), given=GIVEN) -> dict[str, Group]:
    owners = [-1, -1, -1, 0, 0] if given else [-1] * 5
    labels = Labels(PAIRS, given, owners, "")
    mask = np.isin(np.arange(5), kept)
    pieces = pieces_of(labels, mask, without, "the data")
    counts = ReadingCounts()
    return {g.id: g for piece in pieces for batch in piece.read(counts) for g in batch}


def test_what_is_kept_is_joined_anew_and_falls_apart_where_a_pair_is_missing() -> None:
    assert groups([0, 1, 2], given=[])["0"].texts == ("a", "b", "c", "d")
    apart = groups([0, 2], given=[])
    assert sorted(group.texts for group in apart.values()) == [("a", "b"), ("c", "d")]
    assert sorted(p.text1 for group in apart.values() for p in group.pairs) == ["a", "c"]


def test_given_groups_keep_their_texts_and_lose_what_a_pair_that_is_left_out_said() -> None:
    found = groups([0, 4])["g"]
    assert found.texts == ("g1", "g2", "g3")
    assert found.negatives == ("m",)
    assert found.pairs == (PAIRS[4],)


def test_texts_can_be_taken_out_of_given_groups() -> None:
    found = groups([0, 3, 4], {"g1", "h1", "m"})
    assert found["g"] == Group("g", ("g2", "g3"), ("n",), (PAIRS[4],))
    assert "pairs/h" not in found  # one text is no group


def test_ids_of_joined_groups_are_none_of_given_ones() -> None:
    assert set(groups([0])) == {"g", "pairs/h", "pairs-2/0"}
