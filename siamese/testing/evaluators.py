"""The laws of an evaluator."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import yaml

from siamese.config.recipe import Evaluation
from siamese.data.pair import Pair
from siamese.evaluation.evaluator import Encode
from siamese.testing.laws import ORDER, RESUMED, SAVED, WORKERS, LawBroken, require_same

# As in a file of `siamese/evaluation/evaluators`.
Build = Callable[[Evaluation], Callable[[Encode, Sequence[Pair]], Mapping[str, float]]]
_DEFAULT = Evaluation()
# Figures are sums of float64 numbers, whose order may change.
ROUNDING = 1e-9
# Positive pairs of which three join to one group, negative ones, and a text with itself.
PAIRS = [
    *(Pair(f"a{n}", f"b{n}", 1) for n in range(6)),
    Pair("b0", "c0", 1),
    *(Pair(f"a{n}", f"b{(n + 2) % 6}", 0) for n in range(5)),
    Pair("a1", "a1", 1),
    Pair("x", "y", 0),
]


def check_evaluator(build: Build, evaluation: Evaluation = _DEFAULT) -> None:
    """Check an evaluator by all laws but that of micro-batches, which do not concern it.

    Args:
        build: makes the evaluator from the recipe's section; called often.
        evaluation: the section.

    Raises:
        LawBroken: names the law and the numbers that differ.
    """
    workers_equal_one(build, evaluation)
    order_changes_nothing(build, evaluation)
    resumed_equals_unbroken(build, evaluation)
    saved_equals_loaded(build, evaluation)


def workers_equal_one(
    build: Build, evaluation: Evaluation = _DEFAULT, workers: Sequence[int] = (2, 3)
) -> None:
    """Require that N workers, of which each encodes a share of every call, find what one finds.

    All workers must ask for the same texts in the same calls, or they would wait for each other.

    Raises:
        LawBroken: they find other figures, or ask for other texts.
    """
    expected, asked = _figures(build(evaluation))
    for count in workers:
        for rank in range(count):
            found, own = _figures(build(evaluation), share_of=count)
            if own != asked:
                raise LawBroken(WORKERS, f"worker {rank} of {count} encodes other texts than one")
            require_same(WORKERS, found, expected, ROUNDING)


def order_changes_nothing(build: Build, evaluation: Evaluation = _DEFAULT) -> None:
    """Require the same figures with the pairs in another order.

    Raises:
        LawBroken: they are others.
    """
    expected, _ = _figures(build(evaluation))
    for order in (PAIRS[::-1], PAIRS[5:] + PAIRS[:5]):
        require_same(ORDER, _figures(build(evaluation), order)[0], expected, ROUNDING)


def resumed_equals_unbroken(build: Build, evaluation: Evaluation = _DEFAULT) -> None:
    """Require that an evaluator finds in a later epoch what a fresh one finds, bit for bit.

    Raises:
        LawBroken: it finds something else.
    """
    evaluator = build(evaluation)
    expected, _ = _figures(evaluator)
    for _ in range(2):
        require_same(RESUMED, _figures(evaluator)[0], expected)


def saved_equals_loaded(build: Build, evaluation: Evaluation = _DEFAULT) -> None:
    """Require the same figures from the section as a recipe stores it, bit for bit.

    Raises:
        LawBroken: they are others.
    """
    expected, _ = _figures(build(evaluation))
    stored = yaml.safe_load(yaml.safe_dump(evaluation.model_dump(mode="json")))
    require_same(SAVED, _figures(build(Evaluation.model_validate(stored)))[0], expected)


def _figures(
    evaluator: Callable[[Encode, Sequence[Pair]], Mapping[str, float]],
    pairs: Sequence[Pair] = PAIRS,
    share_of: int = 1,
) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Compute the figures, and list the texts of each call of `encode`."""
    asked: list[list[str]] = []

    def encode(texts: list[str]) -> np.ndarray:
        asked.append(list(texts))
        size = -(-len(texts) // share_of)
        shares = [_embed(texts[start : start + size]) for start in range(0, len(texts), size or 1)]
        return np.concatenate([np.zeros((0, 4), np.float32), *shares])

    figures = evaluator(encode, pairs)
    return {name: np.array(value, float) for name, value in figures.items()}, asked


def _embed(texts: Sequence[str]) -> np.ndarray:
    """Encode each text by itself: those that begin alike are near each other."""
    rows = [np.random.default_rng([*text.encode()]).normal(size=4) for text in texts]
    near = [np.random.default_rng(ord(text[-1])).normal(size=4) for text in texts]
    return np.array(rows, np.float32).reshape(-1, 4) + np.array(near, np.float32).reshape(-1, 4)
