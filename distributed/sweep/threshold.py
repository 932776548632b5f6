"""What a searched threshold costs against the fitted one."""

from collections.abc import Mapping
from typing import Any

from siamese.config.metrics import metric_of


def threshold_note(figures: Mapping[str, Any], metric: str) -> str:
    """Say what the searched threshold costs against the best one, which needs no search.

    Args:
        figures: of the best trial's best epoch.
        metric: the key of the one that chose it.
    """
    best = f"{figures['best_threshold']:.3f} is this trial's best"
    words = f"threshold: {figures['threshold']:.3f} was searched, {best}: accuracy "
    words += f"{figures['accuracy']:.4f} against {figures['best_accuracy']:.4f}"
    if not metric_of(metric).needs_threshold:
        return f"{words}; {metric} does not depend on it, so the model and the recipe have the best"
    return words
