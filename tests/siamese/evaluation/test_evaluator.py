"""Which evaluator a run needs."""

import numpy as np
import pytest

from siamese import UserError
from siamese.config.metrics import METRICS, Metric
from siamese.config.parts import load_part, part_names
from siamese.config.recipe import Evaluation
from siamese.data.pair import Pair
from siamese.evaluation.evaluator import find_evaluator


class Own:
    name = "own"
    metrics = (Metric("spread", "spread"),)

    def __call__(self, encode, pairs):
        return {"spread": 1.0}


def test_each_metric_of_the_table_has_an_evaluator() -> None:
    for key in METRICS:
        found = find_evaluator(Evaluation(metric=key))
        assert key in {metric.key for metric in found.metrics}


def test_a_users_own_evaluator_is_found_by_its_metric() -> None:
    own = Own()
    assert find_evaluator(Evaluation(metric="spread"), [own]) is own
    assert find_evaluator(Evaluation(metric="mrr"), [own]).name == "retrieval"


def test_a_metric_that_nobody_computes_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"evaluation\.metric=spreat: .*did you mean spread\?"):
        find_evaluator(Evaluation(metric="spreat"), [Own()])


@pytest.mark.parametrize("name", part_names("evaluator"))
def test_each_evaluator_gives_the_figures_of_its_metrics(name) -> None:
    evaluator = load_part("evaluator", name)(Evaluation())
    assert evaluator.name == name
    rng = np.random.default_rng(1)
    pairs = [Pair(str(n), str(n + 1), n % 2) for n in range(9)]
    figures = evaluator(lambda texts: rng.normal(size=(len(texts), 4)), pairs)
    for metric in evaluator.metrics:
        assert np.isfinite(figures[metric.key]) and METRICS[metric.key] == metric
