"""Pairs above a threshold and groups of them: those of brute force."""

import numpy as np
import pytest
from near_by_hand import drawn_embeddings, groups_by_hand, pairs_by_hand

import siamese.search.near_pairs
from siamese.search.cells import one_cell
from siamese.search.communities import communities
from siamese.search.near_pairs import near_pairs


def found(embeddings, kind, threshold, most=10**6):
    pairs, is_cut = near_pairs(embeddings, kind, threshold, one_cell(*embeddings.shape), most)
    rows = zip(*(each.tolist() for each in pairs), strict=True)
    return [(similarity, one, other) for one, other, similarity in rows], is_cut


@pytest.mark.parametrize("kind", ["cosine", "notebook"])
@pytest.mark.parametrize("block", [64, 4096])
def test_they_are_those_of_brute_force_to_the_last_bit(monkeypatch, kind, block):
    monkeypatch.setattr(siamese.search.near_pairs, "BLOCK", block)
    embeddings = drawn_embeddings(300)
    expected = pairs_by_hand(embeddings, kind, 0.7)
    assert len(expected) > 100
    assert found(embeddings, kind, 0.7) == (expected, False)


@pytest.mark.parametrize("most", [1, 50, 333])
def test_of_too_many_the_most_similar_are_found(monkeypatch, most):
    monkeypatch.setattr(siamese.search.near_pairs, "BLOCK", 32)
    embeddings = drawn_embeddings(300)
    expected = pairs_by_hand(embeddings, "cosine", 0.5)
    assert len(expected) > 1000
    assert found(embeddings, "cosine", 0.5, most) == (expected[:most], True)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95])
def test_groups_gather_around_the_text_with_the_most_near_ones(threshold):
    embeddings = drawn_embeddings(200)
    pairs, _ = near_pairs(embeddings, "cosine", threshold, one_cell(*embeddings.shape), 10**6)
    expected = groups_by_hand(200, pairs_by_hand(embeddings, "cosine", threshold))
    groups = [group.tolist() for group in communities(200, pairs)]
    assert groups == expected
    assert len(groups) > 5
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)


def test_a_chain_is_not_one_group():
    angles = np.arange(7) * 0.3
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    pairs, _ = near_pairs(embeddings, "cosine", np.cos(0.4), one_cell(7, 2), 100)
    assert [sorted(group.tolist()) for group in communities(7, pairs)] == [[0, 1, 2], [3, 4, 5]]


def test_nothing_near_makes_no_groups():
    embeddings = np.eye(4, dtype=np.float32)
    pairs, _ = near_pairs(embeddings, "cosine", 0.5, one_cell(4, 4), 100)
    assert communities(4, pairs) == []
