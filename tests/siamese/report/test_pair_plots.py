"""Pictures of similarities against labels."""

import numpy as np
import pytest
from drawn import axes_of

from siamese.report.pair_plots import draw_precision_recall, draw_similarities


@pytest.mark.parametrize(
    ("threshold", "line", "words"),
    [
        (0.2, True, "threshold 0.2000"),
        (-0.1, True, "threshold −0.1000"),
        (1.4, True, "threshold 1.4000"),
        (99.0, False, "threshold 99.0000, above every score →"),
        (-99.0, False, "← threshold −99.0000, below every score"),
    ],
)
def test_a_threshold_far_from_the_scores_does_not_squeeze_them(
    threshold: float, line: bool, words: str
) -> None:
    scores, labels = np.array([0.0, 0.3, 0.5, 1.0]), np.array([0, 1, 0, 1])
    axes = axes_of(draw_similarities, scores, labels, threshold, "notebook")
    low, high = axes.get_xlim()
    assert high - low < 2.2
    assert (low < threshold < high) == line
    assert [text.get_text() for text in axes.texts] == [words]
    assert "cosine" not in axes.get_xlabel() and "notebook" in axes.get_xlabel()


def test_scores_that_are_all_the_same_can_be_drawn() -> None:
    axes = axes_of(draw_similarities, np.full(4, 0.5), np.array([0, 1, 0, 1]), 0.5, "cosine")
    assert "cosine" in axes.get_xlabel()


def test_there_is_no_precision_where_nothing_is_called_similar() -> None:
    scores, labels = np.array([0.1, 0.2]), np.array([0, 1])
    some = axes_of(draw_precision_recall, scores, labels, 0.15)
    none = axes_of(draw_precision_recall, scores, labels, 0.9)
    assert len(none.lines) == len(some.lines) - 1
