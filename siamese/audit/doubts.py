"""From evidence to doubt: what grade each pair is expected to have, and how far its own is off."""

import numpy as np

from siamese.audit.evidence import characters_that_differ, evidence
from siamese.audit.labels import Labels


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
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    differing = characters_that_differ(labels)
    by_characters = np.empty(len(scores))
    for fold in np.unique(folds):
        inside = folds == fold
        model = LogisticRegression(C=0.03, max_iter=60)
        model.fit(differing[~inside], labels.are_positive[~inside])
        by_characters[inside] = model.decision_function(differing[inside])
    found = np.column_stack([evidence(labels, scores, folds), by_characters])
    expected = np.empty(len(scores))
    for fold in np.unique(folds):
        inside = folds == fold
        # Small trees, many of them: labels are noisy, and there may be few.
        trees = HistGradientBoostingRegressor(
            max_iter=150,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            l2_regularization=1.0,
            random_state=0,
        )
        # A second of work: on a busy machine, threads that wait for each other make minutes of it.
        with threadpool_limits(1):
            trees.fit(found[~inside], labels.grades[~inside])
            expected[inside] = trees.predict(found[inside])
    return np.clip(expected, 0, 1)
