"""The one table of metrics: what a metric is called, and which way is better.

`evaluation.metric` of a recipe takes a key of it. An evaluator of a user's own brings its own
`Metric`s.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """Describe a figure that an evaluator computes.

    Attributes:
        key: its name in files and settings, such as `roc_auc`.
        label: its name for people.
        higher_is_better: its direction.
        needs_threshold: whether it changes with the threshold.
    """

    key: str
    label: str
    higher_is_better: bool = True
    needs_threshold: bool = False

    def is_better(self, value: float, than: float | None) -> bool:
        """Compare two values; any value is better than None."""
        if than is None:
            return True
        return value > than if self.higher_is_better else value < than


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("accuracy", "accuracy", needs_threshold=True),
        Metric("best_accuracy", "best accuracy"),
        Metric("precision", "precision", needs_threshold=True),
        Metric("recall", "recall", needs_threshold=True),
        Metric("f1", "F1", needs_threshold=True),
        Metric("mcc", "MCC", needs_threshold=True),
        Metric("average_precision", "average precision"),
        Metric("roc_auc", "ROC AUC"),
        Metric("spearman", "Spearman"),
        Metric("pearson", "Pearson"),
        Metric("recall_at_1", "recall at 1"),
        Metric("recall_at_5", "recall at 5"),
        Metric("recall_at_10", "recall at 10"),
        Metric("mrr", "mean reciprocal rank"),
    )
}


def metric_of(key: str) -> Metric:
    """Return the metric of a key.

    One that the table does not know is that of a user's own evaluator: higher counts as better.
    """
    return METRICS.get(key) or Metric(key, key.replace("_", " "))
