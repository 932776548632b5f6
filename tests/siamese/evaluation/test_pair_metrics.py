"""Metrics and thresholds against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamese.data.pair import Pair
from siamese.evaluation.pair_metrics import (
    best_threshold,
    evaluate_scores,
    halved_accuracy,
    pair_scores,
)

scored = st.lists(
    st.tuples(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 0.5000000001, 0.75, 3.0]), st.integers(0, 1)),
    min_size=1,
    max_size=40,
)


@given(scored)
def test_best_threshold_is_as_good_as_any(pairs) -> None:
    scores, labels = (np.array(column) for column in zip(*pairs, strict=True))
    threshold, accuracy = best_threshold(scores, labels)
    assert np.mean((scores > threshold) == labels) == pytest.approx(accuracy)
    candidates = [*scores, scores.min() - 1]
    assert accuracy == pytest.approx(max(np.mean((scores > c) == labels) for c in candidates))


@given(scored)
def test_best_threshold_lies_between_distinct_scores(pairs) -> None:
    scores, labels = (np.array(column) for column in zip(*pairs, strict=True))
    threshold, _ = best_threshold(scores, labels)
    below, above = scores[scores <= threshold], scores[scores > threshold]
    if len(below) and len(above):
        assert below.max() <= threshold < above.min()


def test_best_threshold_does_not_cut_between_equal_scores() -> None:
    # Cutting between the two 0.7s would make 3 of 4 right; only the places around them count.
    scores, labels = np.array([0.7, 0.7, 0.2, 0.1]), np.array([1, 0, 0, 0])
    threshold, accuracy = best_threshold(scores, labels)
    assert accuracy == 0.75
    assert not 0.2 <= threshold < 0.7 or np.mean((scores > threshold) == labels) == 0.75


def test_threshold_between_neighbouring_floats() -> None:
    low = 0.5
    high = np.nextafter(low, 1)
    threshold, accuracy = best_threshold(np.array([low, high]), np.array([0, 1]))
    assert accuracy == 1
    assert not low > threshold and high > threshold


def test_metrics_equal_their_definitions() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.55, 0.4, 0.3, 0.2])
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 0])
    metrics = evaluate_scores(scores, labels, 0.5)
    tp, fp, fn, tn = 3, 2, 1, 2
    assert metrics.pairs == 8 and metrics.positives == 4
    assert metrics.accuracy == pytest.approx(5 / 8)
    assert metrics.precision == pytest.approx(tp / (tp + fp))
    assert metrics.recall == pytest.approx(tp / (tp + fn))
    assert metrics.f1 == pytest.approx(2 * tp / (2 * tp + fp + fn))
    mcc = (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
    assert metrics.mcc == pytest.approx(mcc)
    positive, negative = scores[labels == 1], scores[labels == 0]
    auc = np.mean([[p > n for n in negative] for p in positive])
    assert metrics.roc_auc == pytest.approx(auc)
    # Precision at the rank of each positive: 1/1, 2/2, 3/4, 4/7.
    assert metrics.average_precision == pytest.approx((1 + 1 + 3 / 4 + 4 / 7) / 4)
    assert metrics.pearson == pytest.approx(np.corrcoef(scores, labels)[0, 1])
    ranks = np.arange(8, 0, -1)
    label_ranks = np.where(labels == 1, 6.5, 2.5)  # ties get their mean rank
    assert metrics.spearman == pytest.approx(np.corrcoef(ranks, label_ranks)[0, 1])
    assert metrics.best_accuracy == pytest.approx(6 / 8)
    assert metrics.threshold == 0.5


def test_fit_uses_the_best_threshold_of_these_pairs() -> None:
    scores, labels = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 0, 1, 1])
    metrics = evaluate_scores(scores, labels, "fit")
    assert metrics.threshold == metrics.best_threshold == pytest.approx(0.5)
    assert metrics.accuracy == 1


def test_equal_scores_everywhere_have_no_correlation_and_an_auc_of_one_half() -> None:
    metrics = evaluate_scores(np.zeros(4), np.array([0, 1, 0, 0]), "fit")
    assert metrics.spearman == metrics.pearson == 0
    assert metrics.roc_auc == 0.5
    assert metrics.accuracy == 0.75


def test_each_distinct_text_is_encoded_once() -> None:
    pairs = [Pair("甲", "乙", 1), Pair("乙", "丙", 0), Pair("甲", "甲", 1)]
    seen: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return np.array([[1.0, len(text) * ord(text)] for text in texts])

    scores = pair_scores(pairs, encode, "cosine")
    assert sorted(seen) == ["丙", "乙", "甲"]
    assert scores[2] == pytest.approx(1)


def test_pairs_compared_in_parts_are_all_compared(monkeypatch) -> None:
    monkeypatch.setattr("siamese.evaluation.pair_metrics.COMPARED_AT_ONCE", 3)
    vectors = np.random.default_rng(4).normal(size=(20, 5)).astype(np.float32)
    texts = [str(n) for n in range(20)]
    ends = np.random.default_rng(5).integers(20, size=(10, 2))
    pairs = [Pair(texts[one], texts[other], 0) for one, other in ends]
    scores = pair_scores(pairs, lambda some: vectors[[int(text) for text in some]], "cosine")
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(
        scores, np.sum(unit[ends[:, 0]] * unit[ends[:, 1]], axis=1), atol=1e-6
    )


def test_a_threshold_is_fitted_on_one_half_and_applied_to_the_other() -> None:
    # Even places: 0.9 and 0.5 are positive; odd places: only what is above 0.7 is.
    scores = np.array([0.9, 0.8, 0.5, 0.6, 0.1, 0.4, 0.2, 0.75])
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    # Of the even ones 0.35 is fitted: right for 2 of the odd ones (0.8, 0.75), wrong for 0.6, 0.4.
    # Of the odd ones 0.675: right for 0.9, 0.1 and 0.2, wrong for 0.5. Each half has a perfect one.
    assert halved_accuracy(scores, labels) == (5 / 8, 1.0)


def test_correlations_are_with_the_grades_and_all_else_with_the_labels():
    import scipy.stats

    generator = np.random.default_rng(3)
    grades = generator.integers(0, 6, 60) / 5
    scores = grades + generator.normal(0, 0.3, 60)
    found = evaluate_scores(scores, grades, 0.5)
    labels = (grades > 0.7).astype(int)
    judged = evaluate_scores(scores, labels, 0.5)
    assert found.spearman == pytest.approx(scipy.stats.spearmanr(scores, grades).statistic)
    assert found.pearson == pytest.approx(np.corrcoef(scores, grades)[0, 1])
    assert found.spearman != pytest.approx(judged.spearman)
    same = {"spearman": 0, "pearson": 0}
    assert found.as_dict() | same == judged.as_dict() | same
