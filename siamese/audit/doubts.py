"""From evidence to doubt: what grade each pair is expected to have, and how far its own is off."""

import numpy as np

from siamese.audit.evidence import evidence
from siamese.audit.labels import Labels

# A regression of few parameters needs fewer pairs than trees do.
FEW_PAIRS = 2000


def expected_grades(labels: Labels, scores: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Learn from the pairs of the other folds what grade a pair of such evidence has.

    Args:
        labels: the pairs.
        scores: of encoders that did not see them `[pairs]`.
        folds: of the pairs `[pairs]`.

    Returns:
        The expected grade of each pair, 0 to 1 `[pairs]`: of pairs labelled 0 and 1, the
        probability that the texts mean the same.
    """
    found = evidence(labels, scores, folds)
    expected = np.empty(len(scores))
    for fold in np.unique(folds):
        inside = folds == fold
        expected[inside] = _learnt(found[~inside], labels.grades[~inside], found[inside])
    return expected


def _learnt(known: np.ndarray, grades: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Fit grades to the evidence on some pairs, and say what others' should be."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(random_state=0)
    return np.clip(model.fit(known, grades).predict(asked), 0, 1)
