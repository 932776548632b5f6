"""The one table of metrics, and the recipe's setting that takes its keys."""

import pytest

from siamese import UserError
from siamese.config.loading import load_recipe
from siamese.config.metrics import METRICS, Metric, metric_of


def test_a_metric_knows_which_way_is_better() -> None:
    high, low = Metric("a", "a"), Metric("b", "b", higher_is_better=False)
    assert high.is_better(2, 1) and not high.is_better(1, 2) and not high.is_better(1, 1)
    assert low.is_better(1, 2) and not low.is_better(2, 1) and not low.is_better(1, 1)
    assert high.is_better(-5, None) and low.is_better(5, None)


def test_a_metric_that_the_table_does_not_know_has_a_label_all_the_same() -> None:
    assert metric_of("roc_auc").label == "ROC AUC"
    assert metric_of("my_metric") == Metric("my_metric", "my metric")


@pytest.mark.parametrize("key", METRICS)
def test_a_recipe_takes_every_metric_of_the_table(key) -> None:
    assert load_recipe("default", [f"evaluation.metric={key}"]).evaluation.metric == key


def test_another_metric_is_refused_with_the_nearest_beside_other_mistakes() -> None:
    with pytest.raises(UserError) as error:
        load_recipe("default", ["evaluation.metric=recall_at_2", "seed=-1"])
    message = str(error.value)
    assert "evaluation.metric='recall_at_2': no such metric; did you mean 'recall_at_" in message
    assert "seed=-1" in message


def test_a_stored_recipe_may_have_the_metric_of_a_users_own_evaluator(tmp_path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("evaluation: {metric: my_metric}\n")
    assert load_recipe(str(path), stored=True).evaluation.metric == "my_metric"
    with pytest.raises(UserError, match="my_metric"):
        load_recipe(str(path))
