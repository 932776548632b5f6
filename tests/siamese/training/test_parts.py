"""What a user hands in, completed by what the recipe and the execution name."""

import cloudpickle
import pytest

from siamese import UserError
from siamese.config.loading import load_recipe, with_settings
from siamese.config.metrics import Metric
from siamese.training.execution import Execution
from siamese.training.parts import Parts


class Own:
    name = "own"
    metrics = (Metric("own_metric", "mine"),)

    def __call__(self, encode, pairs):
        return {"own_metric": 1.0}


def names(parts: Parts) -> list[str]:
    return [evaluator.name for evaluator in parts.evaluators or ()]


@pytest.mark.parametrize(
    ("metric", "own", "expected"),
    [
        ("roc_auc", None, ["labelled_pairs"]),
        ("recall_at_5", None, ["retrieval"]),
        ("own_metric", (Own(),), ["own"]),
        ("mrr", (Own(),), ["own", "retrieval"]),
    ],
)
def test_the_evaluator_of_the_metric_is_added(metric, own, expected) -> None:
    recipe = with_settings(load_recipe("fast"), {"evaluation.metric": metric})
    parts = Parts(evaluators=own).complete(recipe, Execution())
    assert names(parts) == expected
    assert parts.complete(recipe, Execution()) == parts


def test_trackers_are_those_of_the_execution_unless_given() -> None:
    recipe = load_recipe("fast")
    [tracker] = Parts().complete(recipe, Execution(trackers=("tensorboard",))).trackers or ()
    assert type(tracker).__name__ == "TensorBoard"
    assert Parts(trackers=()).complete(recipe, Execution()).trackers == ()


def test_complete_parts_travel_to_workers() -> None:
    recipe = with_settings(load_recipe("fast"), {"evaluation.metric": "own_metric"})
    execution = Execution(trackers=("tensorboard", "mlflow"))
    parts = Parts(evaluators=(Own(),)).complete(recipe, execution)
    arrived = cloudpickle.loads(cloudpickle.dumps(parts))
    assert names(arrived) == ["own"]
    assert [type(each).__name__ for each in arrived.trackers] == ["TensorBoard", "MLflow"]


def test_a_metric_that_nobody_computes_is_refused_before_any_work() -> None:
    recipe = with_settings(load_recipe("fast"), {"evaluation.metric": "own_metrik"})
    with pytest.raises(UserError, match="did you mean own_metric"):
        Parts(evaluators=(Own(),)).complete(recipe, Execution())
