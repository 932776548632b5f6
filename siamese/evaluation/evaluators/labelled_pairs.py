"""Labelled pairs: does a similarity above the threshold mean the same?

Every run has this evaluator: it fits the threshold.
"""

from collections.abc import Sequence

import numpy as np

from siamese.config.metrics import METRICS
from siamese.config.recipe import Evaluation
from siamese.data.pair import Pair
from siamese.evaluation.evaluator import Encode
from siamese.evaluation.pair_metrics import PairMetrics, evaluate_scores, grades_of, pair_scores

_KEYS = (
    "accuracy",
    "best_accuracy",
    "precision",
    "recall",
    "f1",
    "mcc",
    "average_precision",
    "roc_auc",
    "spearman",
    "pearson",
)


class LabelledPairs:
    """Compares the two texts of each pair.

    Args:
        evaluation: the recipe's section; says which similarity, and which threshold if any.
    """

    name = "labelled_pairs"
    metrics = tuple(METRICS[key] for key in _KEYS)

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation

    def judge(self, encode: Encode, pairs: Sequence[Pair]) -> tuple[np.ndarray, PairMetrics]:
        """Compute the scores and, with the threshold, the metrics.

        Args:
            encode: texts -> embeddings float32 `[texts, dim]`.
            pairs: of both labels.

        Returns:
            The similarity of each pair, float64 `[pairs]`, and the metrics of all.
        """
        scores = pair_scores(pairs, encode, self._evaluation.similarity)
        return scores, evaluate_scores(scores, grades_of(pairs), self._evaluation.threshold)

    def __call__(self, encode: Encode, pairs: Sequence[Pair]) -> dict[str, float]:
        """Compute the metrics, by name."""
        _, metrics = self.judge(encode, pairs)
        return metrics.as_dict()


def build(evaluation: Evaluation) -> LabelledPairs:
    """Make the evaluator for a recipe's section `evaluation`."""
    return LabelledPairs(evaluation)
