"""Near duplicates: those of brute force, whatever the blocks."""

import numpy as np
import pytest
from near_by_hand import drawn_embeddings, duplicates_by_hand

import siamese.search.cells
import siamese.search.duplicates
import siamese.search.store
from siamese.search.cells import make_cells, one_cell
from siamese.search.duplicates import find_duplicates

SIZES = {"BLOCK": 97, "CHUNK": 13}
TILES = {"ROWS_AT_ONCE": 7, "COLUMNS_AT_ONCE": 31}


@pytest.fixture
def small_blocks(monkeypatch):
    for module, sizes in (
        (siamese.search.duplicates, SIZES),
        (siamese.search.store, TILES),
    ):
        for name, size in sizes.items():
            monkeypatch.setattr(module, name, size)


def found(embeddings, kind, threshold, older=0, cells=None, path=None):
    cells = cells or one_cell(*embeddings.shape)
    duplicates = find_duplicates(embeddings, kind, threshold, cells, older, path)
    gone = np.flatnonzero(duplicates.of >= 0).tolist()
    assert not duplicates.similarities[duplicates.of < 0].any()
    return {n: (int(duplicates.of[n]), float(duplicates.similarities[n])) for n in gone}


@pytest.mark.parametrize("kind", ["cosine", "notebook"])
@pytest.mark.parametrize("threshold", [0.6, 0.95, -0.1])
@pytest.mark.parametrize("older", [0, 150])
def test_they_are_those_of_brute_force_to_the_last_bit(small_blocks, kind, threshold, older):
    embeddings = drawn_embeddings(400)
    expected = duplicates_by_hand(embeddings, kind, threshold, older)
    assert found(embeddings, kind, threshold, older) == expected
    assert len(expected) > 10


def test_the_sizes_of_blocks_make_no_difference(monkeypatch, tmp_path):
    embeddings = drawn_embeddings(500, seed=3)
    whole = found(embeddings, "cosine", 0.8)
    monkeypatch.setattr(siamese.search.duplicates, "BLOCK", 64)
    monkeypatch.setattr(siamese.search.duplicates, "CHUNK", 16)
    assert found(embeddings, "cosine", 0.8, path=tmp_path / "kept") == whole


def test_a_chain_keeps_every_second_text():
    # Each is near the next one only: the second goes, so that the third has nothing to be like.
    angles = np.arange(6) * 0.3
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert found(embeddings, "cosine", np.cos(0.4)).keys() == {1, 3, 5}


def test_a_similarity_that_is_the_threshold_is_not_above_it():
    embeddings = np.array([[1, 0], [2, 0], [0, 3]], np.float32)
    assert found(embeddings, "cosine", 1.0) == {}
    assert found(embeddings, "cosine", np.nextafter(1.0, 0)) == {1: (0, 1.0)}


@pytest.mark.parametrize("count", [0, 1])
def test_few_texts_are_no_duplicates(count):
    assert found(np.ones((count, 4), np.float32), "cosine", 0.5) == {}


def test_beyond_a_size_cells_find_nearly_all_and_the_share_is_measured(monkeypatch):
    embeddings = drawn_embeddings(3000, dim=24, clusters=300)
    expected = duplicates_by_hand(embeddings, "cosine", 0.8)
    monkeypatch.setattr(siamese.search.cells, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(siamese.search.cells, "TEXTS_PER_CELL", 50)
    cells = make_cells(embeddings, "cosine", 0.8)
    assert len(cells.centres) == 60
    assert 1 <= cells.probes <= 15
    assert cells.recall >= 0.993
    got = found(embeddings, "cosine", 0.8, cells=cells)
    assert len(got.keys() ^ expected.keys()) <= 0.02 * len(expected)
    again = make_cells(embeddings, "cosine", 0.8)
    assert np.array_equal(again.own, cells.own)


@pytest.mark.parametrize("threshold", [0.999, -1.0])
def test_where_cells_would_not_help_all_are_compared(monkeypatch, threshold):
    monkeypatch.setattr(siamese.search.cells, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(siamese.search.cells, "TEXTS_PER_CELL", 50)
    embeddings = np.random.default_rng(1).normal(size=(1200, 24)).astype(np.float32)
    cells = make_cells(embeddings, "cosine", threshold)
    assert (len(cells.centres), cells.recall) == (1, None)
