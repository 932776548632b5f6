"""The pictures of a sweep, by what their axes hold."""

import numpy as np
import pytest
from drawn import axes_of

from distributed.sweep import plots
from siamese.config.metrics import Metric


@pytest.mark.parametrize(
    ("is_better_higher", "best"), [(True, [2, 3, 3, 3]), (False, [2, 2, 1, 1])]
)
def test_the_best_so_far_goes_the_way_of_the_metric(
    monkeypatch: pytest.MonkeyPatch, is_better_higher: bool, best: list[float]
) -> None:
    metric = Metric("cents", "cents", higher_is_better=is_better_higher)
    monkeypatch.setattr(plots, "metric_of", {"cents": metric}.get)
    evaluations = [{"at": 60.0 * i, "cents": cents} for i, cents in enumerate((2, 3, 1, 2))]
    axes = axes_of(plots.draw_best_so_far, evaluations, "cents")
    every, best_so_far = axes.lines
    assert np.array_equal(every.get_xdata(), [0, 1, 2, 3])
    assert np.array_equal(every.get_ydata(), [2, 3, 1, 2])
    assert np.array_equal(best_so_far.get_ydata(), best)
