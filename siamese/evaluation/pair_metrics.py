"""Labelled pairs -> similarities -> metrics and threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from siamese.config.recipe import Similarity
from siamese.data.pair import POSITIVE, Pair
from siamese.encoder.similarity import pairwise_similarity

# Pairs of embeddings that are compared at once: some MiB.
COMPARED_AT_ONCE = 2048


def pair_scores(
    pairs: Sequence[Pair], encode: Callable[[list[str]], np.ndarray], kind: Similarity
) -> np.ndarray:
    """Compare the two texts of each pair; each distinct text is encoded once.

    Args:
        pairs: the pairs.
        encode: texts -> embeddings `[texts, dim]`.
        kind: the recipe's `evaluation.similarity`.

    Returns:
        The similarities, float64 `[pairs]`.
    """
    ids: dict[str, int] = {}
    ends = np.array(
        [(ids.setdefault(p.text1, len(ids)), ids.setdefault(p.text2, len(ids))) for p in pairs]
    )
    embeddings = encode(list(ids))
    scores = np.empty(len(pairs))
    for start in range(0, len(pairs), COMPARED_AT_ONCE):
        part = slice(start, start + COMPARED_AT_ONCE)
        one, other = ends[part].T
        scores[part] = pairwise_similarity(embeddings[one], embeddings[other], kind)
    return scores


def best_threshold(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Find the threshold of the highest accuracy, and that accuracy.

    A pair is called similar if its score is above the threshold. Thresholds lie between two
    distinct scores, below all or above all, so that equal scores always get equal answers; of
    several equally good ones the highest is taken.

    Args:
        scores: float `[pairs]`.
        labels: 0 or 1 `[pairs]`.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], labels[order]
    # Correct answers when the first k pairs are called similar, for k = 0 … n.
    above = np.concatenate([[0], np.cumsum(hits)])
    below = np.concatenate([[0], np.cumsum(1 - hits)])
    correct = above + (below[-1] - below)
    between = np.concatenate([[True], ranked[1:] < ranked[:-1], [True]])
    best = int(np.argmax(np.where(between, correct, -1)))
    accuracy = float(correct[best] / len(scores))
    if best == 0:
        return float(np.nextafter(ranked[0], np.inf)), accuracy
    if best == len(ranked):
        return float(np.nextafter(ranked[-1], -np.inf)), accuracy
    high, low = ranked[best - 1], ranked[best]
    middle = low + (high - low) / 2
    return float(middle if middle < high else low), accuracy


def halved_accuracy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Measure how well a threshold transfers to pairs that it was not fitted on.

    Args:
        scores: float `[pairs]`, two or more.
        labels: 0 or 1 `[pairs]`.

    Returns:
        The accuracy of thresholds fitted on every other pair and applied to the rest, both ways;
        and that of the thresholds that are best on the rest itself.
    """
    right = best = 0.0
    for half in (0, 1):
        threshold, _ = best_threshold(scores[half::2], labels[half::2])
        rest, rest_labels = scores[1 - half :: 2], labels[1 - half :: 2]
        right += float(np.sum((rest > threshold) == rest_labels))
        best += best_threshold(rest, rest_labels)[1] * len(rest)
    return right / len(labels), best / len(labels)


@dataclass(frozen=True)
class PairMetrics:
    """How well scores separate positive pairs from negative ones.

    Precision, recall, F1, MCC and accuracy are those at `threshold`; `best_accuracy` and
    `best_threshold` are the best that these same pairs allow, and so flatter the encoder unless
    they are development pairs. Correlations are those of the scores with the grades.
    """

    pairs: int
    positives: int
    accuracy: float
    threshold: float
    best_accuracy: float
    best_threshold: float
    precision: float
    recall: float
    f1: float
    mcc: float
    average_precision: float
    roc_auc: float
    spearman: float
    pearson: float

    def as_dict(self) -> dict[str, Any]:
        """List the metrics by name."""
        return dict(vars(self))


def evaluate_scores(
    scores: np.ndarray, grades: np.ndarray, threshold: float | Literal["fit"]
) -> PairMetrics:
    """Compute all metrics.

    Args:
        scores: similarities `[pairs]`.
        grades: 0 to 1 `[pairs]`; both labels must be among them, 1 from the grade `POSITIVE` on.
        threshold: a number, or `fit` for the most accurate one on these pairs.
    """
    import scipy.stats
    from sklearn import metrics as sk

    labels = (grades >= POSITIVE).astype(int)
    fitted, best_accuracy = best_threshold(scores, labels)
    used = fitted if threshold == "fit" else float(threshold)
    answers = (scores > used).astype(int)
    constant = bool(np.ptp(scores) == 0)  # all texts the same to the encoder: no correlation
    return PairMetrics(
        pairs=len(labels),
        positives=int(labels.sum()),
        accuracy=float(np.mean(answers == labels)),
        threshold=used,
        best_accuracy=best_accuracy,
        best_threshold=fitted,
        precision=float(sk.precision_score(labels, answers, zero_division=0)),
        recall=float(sk.recall_score(labels, answers, zero_division=0)),
        f1=float(sk.f1_score(labels, answers, zero_division=0)),
        mcc=float(sk.matthews_corrcoef(labels, answers)),
        average_precision=float(sk.average_precision_score(labels, scores)),
        roc_auc=float(sk.roc_auc_score(labels, scores)),
        spearman=0.0 if constant else float(scipy.stats.spearmanr(scores, grades).statistic),
        pearson=0.0 if constant else float(scipy.stats.pearsonr(scores, grades).statistic),
    )


def labels_of(pairs: Sequence[Pair]) -> np.ndarray:
    """Put the labels into an array `[pairs]`."""
    return np.array([pair.label for pair in pairs])


def grades_of(pairs: Sequence[Pair]) -> np.ndarray:
    """Put the grades into an array `[pairs]`."""
    return np.array([pair.grade for pair in pairs], np.float64)
