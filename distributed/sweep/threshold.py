"""What a searched threshold costs against the fitted one."""

from collections.abc import Mapping
from typing import Any

# Metrics that a threshold changes.
NEED_THRESHOLD = ("accuracy", "f1", "mcc")


def threshold_note(figures: Mapping[str, Any], metric: str) -> str:
    """What the searched threshold costs against the best one, which needs no search."""
    best = f"{figures['best_threshold']:.3f} is this trial's best"
    words = f"threshold: {figures['threshold']:.3f} was searched, {best}: accuracy "
    words += f"{figures['accuracy']:.4f} against {figures['best_accuracy']:.4f}"
    if metric not in NEED_THRESHOLD:
        return f"{words}; {metric} does not depend on it, so the model and the recipe have the best"
    return words
