"""Finding paraphrases, against a restatement that sorts."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.config.recipe import Evaluation, Similarity
from siamese.data.group import Group
from siamese.data.pair import Pair
from siamese.encoder.similarity import pairwise_similarity
from siamese.errors import UserError
from siamese.evaluation.evaluators import retrieval
from siamese.evaluation.evaluators.retrieval import build, evaluate_retrieval


def by_hand(groups: list[Group], vectors: dict[str, np.ndarray]) -> list[int]:
    """The rank of each query's first mate, by sorting all other texts."""
    texts = list(vectors)
    ranks = []
    for query in texts:
        mates = {t for g in groups if query in g.texts and len(g.texts) > 1 for t in g.texts}
        mates -= {query}
        if not mates:
            continue

        def cosine(text: str, query: str = query) -> float:
            a, b = vectors[query], vectors[text]
            return float(a @ b / np.sqrt((a @ a) * (b @ b)))

        others = [t for t in texts if t != query]
        others.sort(key=cosine, reverse=True)
        first = next(i for i, t in enumerate(others) if t in mates)
        ranks.append(1 + sum(t not in mates for t in others[:first]))
    return ranks


@pytest.mark.parametrize("at_once", [(256, 8192), (2, 3)])
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)))
def test_ranks_equal_their_definition_however_many_are_compared_at_once(at_once, lists) -> None:
    groups = [Group(str(i), tuple(texts), ("x", "y")) for i, texts in enumerate(lists)]
    rng = np.random.default_rng(1)
    table = {t: rng.normal(size=3).astype(np.float32) for t in "abcdefghxy"}
    seen = dict.fromkeys(t for g in groups for t in (*g.texts, *g.negatives))
    vectors = {text: table[text] for text in seen}

    def run():
        with (
            patch.object(retrieval, "QUERIES_AT_ONCE", at_once[0]),
            patch.object(retrieval, "TEXTS_AT_ONCE", at_once[1]),
        ):
            return evaluate_retrieval(
                groups, lambda texts: np.stack([table[t] for t in texts]), "cosine"
            )

    if all(len(texts) < 2 for texts in lists):
        with pytest.raises(UserError, match="nothing to find"):
            run()
        return
    found = run()
    ranks = np.array(by_hand(groups, vectors))
    assert (found.texts, found.queries) == (len(vectors), len(ranks))
    assert found.recall == {k: pytest.approx(np.mean(ranks <= k)) for k in (1, 5, 10)}
    assert found.mrr == pytest.approx(np.mean(1 / ranks))


def test_an_example_on_paper() -> None:
    # a finds b first; b finds c before a; c is in no group of two, and only searched.
    groups = [Group("1", ("a", "b")), Group("2", ("c",), ("d",))]
    table = {"a": (1.0, 0.0), "b": (0.8, 0.6), "c": (0.6, 0.8), "d": (0.0, -1.0)}
    found = evaluate_retrieval(
        groups, lambda texts: np.array([table[t] for t in texts], np.float32), "cosine"
    )
    assert found.as_dict() == {
        **{"texts": 4, "queries": 2, "mrr": 0.75},
        **{"recall_at_1": 0.5, "recall_at_5": 1.0, "recall_at_10": 1.0},
    }


def test_of_equally_near_texts_the_mate_comes_last() -> None:
    groups = [Group("1", ("a", "b")), Group("2", ("c",), ("d",))]
    table = {"a": (1.0, 0.0), "b": (1.0, 0.0), "c": (1.0, 0.0), "d": (0.0, 1.0)}
    found = evaluate_retrieval(
        groups, lambda texts: np.array([table[t] for t in texts], np.float32), "cosine"
    )
    assert (found.recall[1], found.mrr) == (0.0, 0.5)


def test_the_search_copies_neither_the_corpus_nor_all_similarities(monkeypatch) -> None:
    monkeypatch.setattr(retrieval, "TEXTS_AT_ONCE", 256)
    groups = [Group("1", ("a", "b"), tuple(map(str, range(20_000))))]
    embeddings = np.random.default_rng(1).normal(size=(20_002, 256)).astype(np.float32)
    tracemalloc.start()
    evaluate_retrieval(groups, lambda texts: embeddings, "cosine")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < embeddings.nbytes / 2  # twice as much for a copy in double precision


def test_the_development_pairs_are_joined_into_groups() -> None:
    # 1 and 2 mean the same, as do 2 and 3; 4 and 5 do not, and 6 has no pair that joins it.
    pairs = [Pair("1", "2", 1), Pair("2", "3", 1), Pair("4", "5", 0), Pair("6", "1", 0)]
    table = {"1": (1, 0), "2": (9, 1), "3": (0, 1), "4": (8, 1), "5": (-1, 0), "6": (1, 9)}
    found = build(Evaluation())(lambda texts: np.array([table[t] for t in texts], float), pairs)
    # The angles are 0, 6, 90, 7, 180 and 84 degrees: 1 finds 2 first; 2 finds 4 before 1; 3 finds 6
    # and 4 before 2.
    assert found["texts"] == 6 and found["queries"] == 3
    assert found["recall_at_1"] == pytest.approx(1 / 3)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_pairs_without_a_positive_one_have_nothing_to_find() -> None:
    with pytest.raises(UserError, match="nothing to find"):
        build(Evaluation())(lambda texts: np.ones((len(texts), 2)), [Pair("1", "2", 0)])


def by_all_pairs(groups: list[Group], embeddings: np.ndarray, kind: Similarity) -> list[int]:
    """The rank of each query, each pair compared by itself; texts are numbers."""
    ranks = []
    for query in range(len(embeddings)):
        own = [g for g in groups if str(query) in g.texts and len(g.texts) > 1]
        mates = {int(text) for g in own for text in g.texts} - {query}
        if mates:
            one = np.repeat(embeddings[query : query + 1], len(embeddings), axis=0)
            scores = pairwise_similarity(one, embeddings, kind)
            first = max(scores[mate] for mate in mates)
            others = set(range(len(embeddings))) - mates - {query}
            ranks.append(1 + sum(bool(scores[other] >= first) for other in others))
    return ranks


@pytest.mark.parametrize("kind", ["cosine", "notebook"])
@pytest.mark.parametrize("spread", [0.0, 1e-7, 1e-3, 1.0])
@pytest.mark.parametrize("length", [1e-12, 1.0, 1e12])
def test_ranks_are_those_of_pairs_compared_exactly_however_near_texts_are(
    kind, spread, length, monkeypatch
) -> None:
    """Many texts are equally near, or nearer to each other than float32 can tell."""
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 32)
    monkeypatch.setattr(retrieval, "TEXTS_AT_ONCE", 50)
    monkeypatch.setattr(retrieval, "PAIRS_AT_ONCE", 64)
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(12, 24)).repeat(10, axis=0)
    embeddings = ((centres + spread * rng.normal(size=(120, 24))) * length).astype(np.float32)
    embeddings[5] = 0  # an empty text
    embeddings[77] /= 1e6
    order = rng.permutation(120).reshape(40, 3)
    groups = [Group(str(n), tuple(map(str, three))) for n, three in enumerate(order.tolist())]
    found = evaluate_retrieval(groups, lambda texts: embeddings[[int(t) for t in texts]], kind)
    ranks = np.array(by_all_pairs(groups, embeddings, kind))
    assert found.mrr == pytest.approx(np.mean(1 / ranks), rel=1e-12)
    assert found.recall == {k: pytest.approx(np.mean(ranks <= k)) for k in (1, 5, 10)}


def test_a_long_search_in_a_run_gives_signs_of_life(monkeypatch) -> None:
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 2)
    asked: list[int] = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.append(len(texts))
        return np.ones((len(texts), 2), np.float32)

    build(Evaluation())(encode, [Pair(f"a{n}", f"b{n}", 1) for n in range(3)])
    assert asked == [6, 0, 0, 0]
