"""How near a negative may be, on paper."""

import numpy as np
import pytest

from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.mining.limits import limits
from siamese.mining.pool import Pool

# Angles in degrees.
ANGLES = {"a": 0, "b": 60, "c": 90, "d": 180, "e": 0, "f": 120}


def found(groups: list[Group], margin: float) -> list[float]:
    pool = Pool(groups)
    angles = np.deg2rad([ANGLES[text] for text in pool.texts])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return limits(groups, pool, embeddings, "cosine", margin).tolist()


def test_it_is_a_share_of_the_similarity_of_the_two_texts() -> None:
    assert found([Group("1", ("a", "b"))], 0.9) == pytest.approx([0.45])


def test_of_more_texts_it_is_the_mean_of_each_with_the_next() -> None:
    # cos 60, cos 30 and cos 90
    group = Group("1", ("a", "b", "c"))
    assert found([group], 1) == pytest.approx([(0.5 + 3**0.5 / 2) / 3])


def test_labelled_positives_are_preferred_to_what_joining_inferred() -> None:
    pairs = (Pair("a", "b", 0.8), Pair("b", "c", 0.6), Pair("c", "e", 1), Pair("b", "d", 0))
    group = Group("1", ("a", "b", "c"), (), pairs)
    assert found([group, Group("2", ("e", "a"))], 1) == pytest.approx([0.5, 1])


def test_where_similarities_are_negative_it_is_below_them_too() -> None:
    assert found([Group("1", ("a", "f"))], 0.9) == pytest.approx([-0.55])
