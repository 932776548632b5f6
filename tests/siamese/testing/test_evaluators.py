"""The laws of evaluators: ours pass, a user's passes, broken ones are caught."""

import numpy as np
import pytest
from broken_laws import broken

from siamese.config import recipe
from siamese.config.parts import load_part, part_names
from siamese.testing import check_evaluator, evaluators, laws


@pytest.mark.parametrize("name", part_names("evaluator"))
@pytest.mark.parametrize("settings", [{}, {"similarity": "notebook", "threshold": 0.5}])
def test_our_evaluators_keep_their_laws(name, settings) -> None:
    check_evaluator(load_part("evaluator", name), recipe.Evaluation(**settings))


class MeanSimilarity:
    """A user's: how much nearer positive pairs are than negative ones."""

    def __init__(self, squared: bool = False) -> None:
        self.squared = squared

    def __call__(self, encode, pairs) -> dict[str, float]:
        pairs = sorted(pairs, key=lambda pair: (pair.text1, pair.text2))
        one = encode([pair.text1 for pair in pairs]).astype(np.float64)
        two = encode([pair.text2 for pair in pairs])
        scores = (one * two).sum(axis=1) ** (2 if self.squared else 1)
        labels = np.array([pair.label for pair in pairs])
        return {"lead": scores[labels == 1].mean() - scores[labels == 0].mean()}


class FirstPair(MeanSimilarity):
    def __call__(self, encode, pairs) -> dict[str, float]:
        return {"lead": float(encode([pairs[0].text1]).sum())}


class Smoothed(MeanSimilarity):
    before = None

    def __call__(self, encode, pairs) -> dict[str, float]:
        now = super().__call__(encode, pairs)["lead"]
        self.before = now if self.before is None else 0.9 * self.before
        return {"lead": self.before}


class Ranked(MeanSimilarity):
    """Every worker looks at its own texts only: it knows how many embeddings it got last."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Ranked.made += 1

    def __call__(self, encode, pairs) -> dict[str, float]:
        return {"lead": float(encode([pair.text1 for pair in pairs][Ranked.made % 2 :]).sum())}


def broken_by_evaluator(build) -> set[str]:
    laws_of_evaluators = (
        evaluators.workers_equal_one,
        evaluators.order_changes_nothing,
        evaluators.resumed_equals_unbroken,
        evaluators.saved_equals_loaded,
    )
    return broken(*(lambda law=law: law(build) for law in laws_of_evaluators))


def test_an_evaluator_of_a_users_own_keeps_all_laws_and_broken_ones_are_caught() -> None:
    check_evaluator(lambda evaluation: MeanSimilarity())
    assert broken_by_evaluator(lambda evaluation: FirstPair()) == {laws.ORDER}
    assert broken_by_evaluator(lambda evaluation: Smoothed()) == {laws.RESUMED}
    assert laws.WORKERS in broken(lambda: evaluators.workers_equal_one(lambda evaluation: Ranked()))
