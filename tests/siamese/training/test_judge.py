"""Judging an encoder with several workers (threads here), and what an evaluator may not do."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_run import PAIRS

from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.config.metrics import Metric
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.weights import weights_of
from siamese.evaluation.evaluators.retrieval import Retrieval
from siamese.text.vocabulary import Vocabulary, count_characters
from siamese.training.judge import Judge, Judgement

TEXTS = sorted({text for pair in PAIRS for text in (pair.text1, pair.text2)})
RECIPE = load_recipe("fast", ["encoder.embedding_dim=8", "encoder.lstm_units=[6]"])


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    vocabulary = Vocabulary(count_characters(TEXTS))
    table = np.random.default_rng(2).normal(size=(len(vocabulary), 8)).astype(np.float32)
    model, _ = build_encoder(RECIPE.encoder, table)
    return SentenceEncoder(weights_of(model), vocabulary, RECIPE)


def judges(encoder, world_size: int, evaluators=(), metric="roc_auc"):
    """A judge for each of so many threads."""
    barrier = threading.Barrier(world_size, timeout=30)
    arrays: list = [None] * world_size

    def make(rank: int) -> Judge:
        def gather(values):
            arrays[rank] = np.asarray(values)
            barrier.wait()
            together = np.stack(arrays)
            barrier.wait()
            return together

        context = SimpleNamespace(rank=rank, world_size=world_size, heartbeat=lambda: None)
        evaluation = RECIPE.evaluation.model_copy(update={"metric": metric})
        return Judge(context, gather, encoder, evaluation, evaluators)

    return [make(rank) for rank in range(world_size)]


def in_threads(work, judges: list[Judge]) -> list:
    results: list = [None] * len(judges)

    def run(rank: int) -> None:
        results[rank] = work(judges[rank])

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(judges))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 7, len(TEXTS)])
def test_all_workers_get_the_embeddings_of_all_texts(
    encoder, world_size, count, monkeypatch
) -> None:
    monkeypatch.setattr("siamese.training.judge.ENCODED_PER_HEARTBEAT", 3)
    texts = TEXTS[:count]
    found = in_threads(lambda judge: judge.encode(texts), judges(encoder, world_size))
    for embeddings in found:
        assert embeddings.shape == (count, encoder.embedding_dim)
        assert embeddings.dtype == np.float32
        np.testing.assert_allclose(embeddings, encoder.encode(texts), atol=2e-6)


def test_several_workers_find_the_figures_of_one(encoder) -> None:
    others = [Retrieval("cosine")]
    one: Judgement
    [one] = in_threads(lambda judge: judge(PAIRS), judges(encoder, 1, others, "mrr"))
    assert one.value == one.figures["mrr"] and 0 < one.value < 1
    for found in in_threads(lambda judge: judge(PAIRS), judges(encoder, 3, others, "mrr")):
        assert found.value == pytest.approx(one.value)
        np.testing.assert_allclose(found.scores, one.scores, atol=1e-5)
        assert found.figures.keys() == one.figures.keys()
        assert found.figures["recall_at_1"] == one.figures["recall_at_1"]


def test_one_worker_encodes_the_texts_in_slices_of_their_order(encoder, monkeypatch) -> None:
    """So that its figures are the same bits as ever."""
    monkeypatch.setattr("siamese.training.judge.ENCODED_PER_HEARTBEAT", 5)
    calls: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        return encoder.encode(texts)

    watched = SimpleNamespace(encode=encode)
    [judge] = judges(watched, 1)
    judge.encode(TEXTS[:12])
    assert calls == [TEXTS[:5], TEXTS[5:10], TEXTS[10:12]]


class Own:
    """An evaluator that gives what it is made with."""

    name = "own"
    metrics = (Metric("spread", "spread", higher_is_better=False),)

    def __init__(self, **figures: float) -> None:
        self.figures = figures

    def __call__(self, encode, pairs):
        return self.figures


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"spread": float("nan")}, "spread: its evaluator gave nan"),
        ({"others": 1.0}, "spread: its evaluator gave nan"),
        ({"spread": 1.0, "loss": 2.0}, "'own': 'loss' is the name of another figure"),
        ({"spread": 1.0, "f1": 2.0}, "'own': 'f1' is the name of another figure"),
    ],
)
def test_an_evaluator_that_cannot_pick_the_epoch_is_named(encoder, figures, words) -> None:
    [judge] = judges(encoder, 1, [Own(**figures)], "spread")
    with pytest.raises(UserError, match=words):
        judge(PAIRS)


def test_the_first_workers_figure_counts_for_all(encoder) -> None:
    two = judges(encoder, 2, [Own(spread=1.0)], "spread")
    two[1]._others = [Own(spread=5.0)]
    assert [found.value for found in in_threads(lambda judge: judge(PAIRS), two)] == [1.0, 1.0]


def test_no_texts_are_a_sign_of_life_and_wait_for_no_other_worker(encoder) -> None:
    judge = judges(encoder, 2)[0]  # the other one never comes
    beats: list[None] = []
    judge._context.heartbeat = lambda: beats.append(None)
    assert judge.encode([]).shape == (0, encoder.embedding_dim)
    assert len(beats) == 1


def test_scores_are_the_same_bits_for_any_number_of_workers(encoder) -> None:
    found = [
        in_threads(lambda judge: judge(PAIRS), judges(encoder, world_size))[-1]
        for world_size in (1, 2, 3)
    ]
    assert len({judgement.scores.tobytes() for judgement in found}) == 1
    assert len({judgement.threshold for judgement in found}) == 1
