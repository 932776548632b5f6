"""What an evaluator is, and which ones a run needs."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from siamese.config.metrics import Metric
from siamese.config.parts import load_part, part_names
from siamese.config.recipe import Evaluation
from siamese.config.yaml_files import nearest
from siamese.data.pair import Pair
from siamese.errors import UserError

# Texts -> their embeddings, float32 `[texts, dim]`, in the same order. In a run every worker gets
# all of them, and each encodes a share.
Encode = Callable[[list[str]], np.ndarray]


class Evaluator(Protocol):
    """Judges an encoder on the development pairs, after every epoch.

    A file in `evaluators/` has a function `build(evaluation)`, which makes its evaluator for the
    recipe's section `evaluation`. From Python an object of a user's own does as well. Every worker
    of a run calls it, with the same arguments, and must call `encode` as often as the others do;
    the figures of the first worker count. An evaluator that works for long without calling
    `encode` seems to hang: workers are ended after `--stall-seconds`. `encode([])` is a sign of
    life, which takes no time, and needs no other worker's.

    Example:
        >>> class Spread:
        ...     name = "spread"
        ...     metrics = (Metric("spread", "mean variance"),)
        ...
        ...     def __call__(self, encode, pairs):
        ...         return {"spread": float(encode([p.text1 for p in pairs]).var(axis=0).mean())}

    Attributes:
        name: of its file, or any other.
        metrics: those of its figures that may pick the best epoch.
    """

    name: str
    metrics: tuple[Metric, ...]

    def __call__(self, encode: Encode, pairs: Sequence[Pair]) -> dict[str, float]:
        """Compute the figures, by name; those of all `metrics` among them.

        Args:
            encode: texts -> embeddings float32 `[texts, dim]`.
            pairs: development pairs, of both labels.
        """


def find_evaluator(evaluation: Evaluation, own: Sequence[Evaluator] = ()) -> Evaluator:
    """Find the evaluator that computes the metric which picks the best epoch.

    Args:
        evaluation: the recipe's section.
        own: evaluators of a user's own, which come before those in `evaluators/`.

    Raises:
        UserError: none computes the metric; names the nearest one.
    """
    named = [load_part("evaluator", name)(evaluation) for name in part_names("evaluator")]
    known: list[str] = []
    for evaluator in (*own, *named):
        keys = [metric.key for metric in evaluator.metrics]
        if evaluation.metric in keys:
            return evaluator
        known += keys
    raise UserError(
        f"evaluation.metric={evaluation.metric}: no evaluator computes it"
        f"{nearest(evaluation.metric, known)}"
    )
