"""Train an encoder on all folds but one, and have it score the pairs of that one."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from siamese.audit.folds import held_out
from siamese.audit.labels import Labels, read_labels
from siamese.audit.pieces import pieces_of
from siamese.config.recipe import Recipe
from siamese.data.sharding import write_data_set
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.similarity import pairwise_similarity
from siamese.progress import progress
from siamese.training.context import Advance, LocalContext
from siamese.training.execution import Execution
from siamese.training.preparation import prepare, read_data
from siamese.training.run_folder import RunFolder

# Nothing of a fold's run is kept but its best encoder, until it has scored.
_EXECUTION = Execution(checkpoint_steps=None, keep_checkpoints=1, trackers=())


@dataclass(frozen=True)
class FoldScores:
    """What an encoder says of a fold that it was not trained on.

    Attributes:
        scores: similarities of the fold's labelled pairs, in their order, float64 `[pairs]`.
        across: those of the fold's pairs across bridges, float64 `[pairs]`.
        threshold: fitted on the pairs that picked the encoder's epoch.
    """

    scores: np.ndarray
    across: np.ndarray
    threshold: float


@dataclass(frozen=True)
class FoldScorer:
    """Scores a fold; any process that can read the data set can do it.

    Attributes:
        data: the data set, a path or URI.
        folds: of the labelled pairs, int64 `[pairs]`.
        across: further pairs to score, positions in `Labels.texts`, int64 `[further, 2]`.
        across_folds: of these, int64 `[further]`.
        recipe: of the encoders.
        show: whether to show how far it is.
    """

    data: str
    folds: np.ndarray
    across: np.ndarray
    across_folds: np.ndarray
    recipe: Recipe
    show: bool = True

    def __call__(self, fold: int) -> FoldScores:
        """Train on the other folds, and score this one.

        Raises:
            UserError: the recipe does not suit the data.
        """
        labels = read_labels(self.data, verify=False)  # who made this has
        inside = self.folds == fold
        chosen = held_out(labels, self.folds, fold, self.recipe.seed)
        with tempfile.TemporaryDirectory(prefix="siamese-audit-") as folder:
            title = f"fold {fold + 1} of {self.folds.max() + 1}" if self.show else ""
            encoder = _train(labels, inside, chosen, self.recipe, folder, title)
        ends = np.concatenate([labels.ends[inside], self.across[self.across_folds == fold]])
        numbers, positions = np.unique(ends, return_inverse=True)
        vectors = encoder.encode([labels.texts[number] for number in numbers])
        first, second = positions.reshape(ends.shape).T
        kind = self.recipe.evaluation.similarity
        scores = pairwise_similarity(vectors[first], vectors[second], kind)
        count = int(inside.sum())
        return FoldScores(scores[:count], scores[count:], encoder.threshold)


def _train(
    labels: Labels,
    inside: np.ndarray,
    chosen: np.ndarray,
    recipe: Recipe,
    folder: str,
    title: str,
) -> SentenceEncoder:
    """Train on the pairs that are neither inside a fold nor chosen to pick the epoch.

    Given groups are trained on without the texts of those pairs.
    """
    # TensorFlow takes seconds to import: only once everything else is known to be good.
    from siamese.training.loop import fit

    unseen = labels.ends[inside | chosen]
    without = {labels.texts[number] for number in np.unique(unseen).tolist()}
    write_data_set(
        pieces_of(labels, ~inside & ~chosen, without, "the other folds"),
        "the other folds",
        f"{folder}/data",
    )
    pairs = [labels.pairs[number] for number in np.flatnonzero(chosen).tolist()]
    data, summary = read_data(f"{folder}/data", pairs, recipe)
    prepared = prepare(recipe, data, pairs)
    run = RunFolder.open(f"{folder}/run")
    run.start(recipe, summary, fresh=False)
    fit(_FoldContext(run, title), recipe, data, pairs, prepared)
    return SentenceEncoder.load(f"{folder}/run/best")


class _FoldContext(LocalContext):
    """Trains in this process and says nothing but how far it is.

    Args:
        run: the run folder.
        title: of the fold; empty: say nothing at all.
    """

    def __init__(self, run: RunFolder, title: str) -> None:
        super().__init__(run, _EXECUTION)
        self._title = title

    def progress(self, what: str, total: int, unit: str) -> AbstractContextManager[Advance]:
        """Show a bar or lines on stderr."""
        return progress(f"{self._title}, {what}", total, unit, show=bool(self._title))

    def report(self, evaluation: dict[str, Any]) -> None:
        """Say nothing."""


class Apply(Protocol):
    """Scores folds, in any processes."""

    def __call__(
        self, score: Callable[[int], FoldScores], folds: Sequence[int], /
    ) -> Iterator[tuple[int, FoldScores]]:
        """Yield each fold and its scores, in any order.

        Args:
            score: of one fold.
            folds: all of them.
        """


def score_here(
    score: Callable[[int], FoldScores], folds: Sequence[int]
) -> Iterator[tuple[int, FoldScores]]:
    """Score one fold after the other in this process."""
    for fold in folds:
        yield fold, score(fold)
