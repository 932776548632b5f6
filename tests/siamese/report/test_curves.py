"""Pictures of a run's figures by step and epoch."""

import numpy as np
import pytest
from drawn import axes_of

from siamese.report.curves import draw_loss, draw_metrics

PAIR_METRICS = ("roc_auc", "average_precision", "accuracy", "spearman")
LABELS = ["ROC AUC", "average precision", "accuracy", "Spearman"]


def evaluations(*others: str) -> list[dict[str, float]]:
    keys = (*PAIR_METRICS, *others)
    return [
        {"epoch": epoch, **{key: epoch + place / 10 for place, key in enumerate(keys)}}
        for epoch in (1, 2, 3)
    ]


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_loss_is_drawn_by_step_and_the_best_step_is_marked() -> None:
    lines = [{"step": 5, "loss": 2.0}, {"step": 10, "loss": 1.0}]
    axes = axes_of(draw_loss, lines, 10)
    assert np.array_equal(axes.lines[0].get_xydata(), [[5, 2], [10, 1]])
    assert set(axes.lines[1].get_xdata()) == {10}
    assert axes.get_ylabel() == "loss"  # of any kind


@pytest.mark.parametrize("chosen", PAIR_METRICS)
def test_the_metric_that_picks_the_epoch_is_the_thick_one(chosen: str) -> None:
    axes = axes_of(draw_metrics, evaluations(), 2, chosen)
    thick = [line.get_label() for line in axes.lines if line.get_linewidth() > 2]
    label = dict(zip(PAIR_METRICS, LABELS, strict=True))[chosen]
    assert thick == [label]
    title = axes.get_title().replace("\n", " ")
    assert title == f"Development pairs ({label} picks the epoch)"
    assert legend(axes) == [*LABELS, "best epoch: 2"]


@pytest.mark.parametrize(
    ("chosen", "label"), [("recall_at_1", "recall at 1"), ("mrr", "mean reciprocal rank")]
)
def test_a_metric_of_retrieval_that_picks_the_epoch_is_drawn_as_well(
    chosen: str, label: str
) -> None:
    axes = axes_of(draw_metrics, evaluations(chosen), 2, chosen)
    assert legend(axes) == [*LABELS, label, "best epoch: 2"]
    assert np.allclose(axes.lines[4].get_ydata(), [1.4, 2.4, 3.4])
    assert len(axes.figure.axes) == 1


def test_a_long_title_has_two_lines_and_is_not_cut() -> None:
    key = "share_of_the_questions_that_are_answered_well"
    lines = [{**line, key: 0.5} for line in evaluations()]
    title = axes_of(draw_metrics, lines, 1, key).title.get_text()
    assert max(map(len, title.split("\n"))) <= 50
    assert title.replace("\n", " ") == (
        f"Development pairs ({key.replace('_', ' ')} picks the epoch)"
    )


def test_a_metric_of_ones_own_has_an_axis_of_its_own_for_it_may_be_of_any_size() -> None:
    lines = [{**line, "cents_saved": 1e6 * line["epoch"]} for line in evaluations()]
    axes = axes_of(draw_metrics, lines, 1, "cents_saved")
    assert legend(axes) == [*LABELS, "best epoch: 1", "cents saved"]
    assert axes.get_ylim()[1] < 5
    _, other = axes.figure.axes
    assert list(other.lines[0].get_ydata()) == [1e6, 2e6, 3e6]
    assert other.get_ylabel() == "cents saved"
