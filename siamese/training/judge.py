"""Judge the encoder after an epoch, all workers together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.config.recipe import Evaluation
from siamese.data.pair import Pair
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.evaluation.evaluator import Evaluator
from siamese.evaluation.evaluators.labelled_pairs import LabelledPairs
from siamese.training.context import Context
from siamese.training.gather import Gather

# Texts that a worker encodes between two heartbeats.
ENCODED_PER_HEARTBEAT = 8192
# What the log puts beside the figures of an evaluation.
_TAKEN = ("event", "epoch", "step", "is_best", "loss")


@dataclass(frozen=True)
class Judgement:
    """What an evaluation found.

    Attributes:
        figures: of all evaluators, by name.
        threshold: a similarity above it means the same.
        scores: the similarity of each development pair, float64 `[pairs]`.
        value: the figure that picks the best epoch, the same for all workers.
    """

    figures: dict[str, Any]
    threshold: float
    scores: np.ndarray
    value: float


class Judge:
    """Judges an encoder on the development pairs.

    Args:
        context: this worker.
        gather: brings the workers' arrays together.
        encoder: with the weights to judge.
        evaluation: the recipe's section.
        evaluators: besides that of the labelled pairs; see `Parts.complete`.

    Attributes:
        metric: picks the best epoch.
    """

    def __init__(
        self,
        context: Context,
        gather: Gather,
        encoder: SentenceEncoder,
        evaluation: Evaluation,
        evaluators: Sequence[Evaluator],
    ) -> None:
        self._context = context
        self._gather = gather
        self._encoder = encoder
        self._labelled_pairs = LabelledPairs(evaluation)
        self._others = [each for each in evaluators if each.name != LabelledPairs.name]
        self.metric = next(
            metric
            for evaluator in (self._labelled_pairs, *evaluators)
            for metric in evaluator.metrics
            if metric.key == evaluation.metric
        )

    def __call__(self, pairs: list[Pair]) -> Judgement:
        """Judge the encoder as it is. Called by all workers together.

        Raises:
            UserError: an evaluator does not give the figures that it should.
        """
        scores, metrics = self._labelled_pairs.judge(self.encode, pairs)
        figures = metrics.as_dict()
        for evaluator in self._others:
            found = evaluator(self.encode, pairs)
            self._context.heartbeat()
            if taken := found.keys() & {*figures, *_TAKEN}:
                raise UserError(
                    f"evaluator {evaluator.name!r}: {sorted(taken)[0]!r} is the name of another "
                    "figure already. Choose another one."
                )
            figures |= found
        value = figures.get(self.metric.key, math.nan)
        if not math.isfinite(value):
            raise UserError(
                f"evaluation.metric={self.metric.key}: its evaluator gave {value} for it, which "
                "cannot pick the best epoch."
            )
        # Workers of different kinds may round differently, but must agree on the best epoch.
        value = float(self._gather(np.array(value, np.float64))[0])
        return Judgement(figures, metrics.threshold, scores, value)

    def encode(self, texts: list[str]) -> np.ndarray:
        """Encode texts; each worker takes a share, and all get all of them.

        Args:
            texts: the same for all workers; none: a sign of life, and no waiting for the others.

        Returns:
            float32 `[texts, dim]`.
        """
        context = self._context
        if not texts:
            context.heartbeat()
            return np.empty((0, self._encoder.embedding_dim), np.float32)
        share = math.ceil(len(texts) / context.world_size)
        own = texts[context.rank * share : (context.rank + 1) * share]
        own += texts[:1] * (share - len(own))  # the last share may be short
        slices = []
        for start in range(0, share, ENCODED_PER_HEARTBEAT):
            embeddings = self._encoder.encode(own[start : start + ENCODED_PER_HEARTBEAT])
            slices.append(self._gather(embeddings))
            context.heartbeat()
        shares = np.concatenate(slices, axis=1)
        return shares.reshape(-1, shares.shape[-1])[: len(texts)]
