"""A large segment is searched by a graph: its hits are those of comparing all, nearly always."""

import math
import sys

import numpy as np
import pytest
from small_encoder import small_encoder
from small_index import some_texts

from siamese import Entry, Index, UserError
from siamese.search import approximate
from siamese.search.approximate import needs_graph

pytest.importorskip("usearch", reason="the extra `search` is not installed")
TEXTS = some_texts(400)
QUERIES = some_texts(30, seed=9)
EVERYTHING = -math.inf


@pytest.fixture
def few(monkeypatch) -> None:
    monkeypatch.setattr(approximate, "EXACT_UP_TO", 150)
    # Of several threads, a graph depends on which was the first.
    monkeypatch.setattr(approximate, "cores", lambda: 1)


@pytest.fixture
def index(few, tmp_path) -> Index:
    return Index.build(TEXTS[:300], small_encoder(), tmp_path / "index")


def recall(index, entries: dict[str, str], k=10) -> float:
    """The share of the best texts, restated, that are among the hits."""
    exact = index.encoder.similarity(QUERIES, list(entries.values()))
    found = 0
    for scores, hits in zip(exact, index.search_many(QUERIES, k, EVERYTHING), strict=True):
        by_id = dict(zip(entries, scores.tolist(), strict=True))
        assert [hit.score for hit in hits] == [by_id[hit.id] for hit in hits]  # exactly
        assert [hit.text for hit in hits] == [entries[hit.id] for hit in hits]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert len({hit.id for hit in hits}) == k
        found += sum(hit.score >= np.sort(scores)[-k] for hit in hits)
    return found / (k * len(QUERIES))


def numbered(texts) -> dict[str, str]:
    return {str(n): text for n, text in enumerate(texts, start=1)}


def graphs(folder) -> list[str]:
    return sorted(path.name for path in folder.glob("*.usearch"))


def test_only_a_large_segment_and_the_cosine_have_a_graph(few, tmp_path, index) -> None:
    assert needs_graph(151, "cosine") and not needs_graph(150, "cosine")
    assert not needs_graph(10**6, "notebook")
    assert graphs(tmp_path / "index") == ["segment-00000001.graph.usearch"]
    Index.build(TEXTS[:150], small_encoder(), tmp_path / "small")
    notebook = small_encoder("evaluation.similarity=notebook")
    Index.build(TEXTS, notebook, tmp_path / "notebook")
    assert graphs(tmp_path / "small") == graphs(tmp_path / "notebook") == []


def test_hits_are_the_nearest_and_their_scores_exact(tmp_path, index) -> None:
    assert recall(index, numbered(TEXTS[:300])) >= 0.99
    opened = Index.open(tmp_path / "index", small_encoder())
    assert opened.search_many(QUERIES, 10) == index.search_many(QUERIES, 10)


def test_what_is_added_replaced_and_removed_counts_at_once(tmp_path, index) -> None:
    index.add(TEXTS[300:340])
    index.remove([str(n) for n in range(1, 100, 2)])
    index.replace([Entry("2", "密码", {})])
    assert graphs(tmp_path / "index") == ["segment-00000001.graph.usearch"]  # not built again
    left = {n: t for n, t in numbered(TEXTS[:340]).items() if int(n) > 99 or int(n) % 2 == 0}
    assert recall(index, {**left, "2": "密码"}) >= 0.99


def test_where_most_near_ones_are_gone_more_are_looked_at(index) -> None:
    [near] = index.search_many([QUERIES[0]], 120, EVERYTHING)
    index.remove([hit.id for hit in near])
    left = {n: t for n, t in numbered(TEXTS[:300]).items() if n not in {hit.id for hit in near}}
    assert recall(index, left) >= 0.99


def test_a_segment_that_grows_gets_a_graph_and_one_that_shrinks_loses_it(few, tmp_path) -> None:
    index = Index.build(TEXTS[:100], small_encoder(), tmp_path / "index")
    index.add(TEXTS[100:200])
    assert len(graphs(tmp_path / "index")) == 1
    assert recall(index, numbered(TEXTS[:200])) >= 0.99
    index.remove([str(n) for n in range(1, 121)])
    assert graphs(tmp_path / "index") == []
    left = {n: text for n, text in numbered(TEXTS[:200]).items() if int(n) > 120}
    assert recall(index, left) == 1


@pytest.mark.parametrize("k", [150, 300])
def test_all_are_compared_where_very_many_are_wanted(index, monkeypatch, k) -> None:
    monkeypatch.setattr(approximate, "MOST_CANDIDATES", 200)
    assert recall(index, numbered(TEXTS[:300]), k) == 1


def test_a_damaged_graph_is_refused(tmp_path, index) -> None:
    [name] = graphs(tmp_path / "index")
    path = tmp_path / "index" / name
    whole = tmp_path / "whole"
    whole.write_bytes(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="truncated or altered"):
        Index.open(tmp_path / "index", small_encoder())
    for count, dim in ((299, 12), (300, 13)):
        with pytest.raises(ValueError, match="graph"):
            approximate.Graph(whole, np.zeros((count, dim), np.float32), "cosine")
    path.write_bytes(b"no graph")
    with pytest.raises(ValueError, match="its graph cannot be read"):
        approximate.Graph(path, np.zeros((300, 12), np.float32), "cosine")


def test_without_usearch_its_install_command_is_told_before_the_work(
    few, tmp_path, monkeypatch
) -> None:
    for name in ("usearch", "usearch.index"):
        monkeypatch.setitem(sys.modules, name, None)
    encoder = small_encoder()
    monkeypatch.setattr(encoder, "encode", None)
    with pytest.raises(UserError, match=r"pip install 'siamese-ray\[search\]'"):
        Index.build(TEXTS[:151], encoder, tmp_path / "index")
    assert not (tmp_path / "index").exists()
