"""What a run trains on, whatever it was read from, and what is made of it before training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from siamese.errors import UserError
from siamese.groups import Group
from siamese.pairs import Pair
from siamese.recipe import Recipe, Sampling
from siamese.sampling import Sizes, steps_per_epoch
from siamese.vectors import Again, Coverage, initial_embeddings
from siamese.vocabulary import Vocabulary, count_characters


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more, then those of one text and its negatives.
        lone: the number of the latter.
        row_groups: the number of groups in each part that is read at once, in order.
        sizes: of the groups.
        characters: how often each character occurs in the texts that were read.
        negatives: hard negatives of all groups.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
    """

    groups: Sequence[Group]
    lone: int
    row_groups: Sequence[int]
    sizes: Sizes
    characters: Mapping[str, int]
    negatives: int
    texts_read: int
    hash: str

    def steps_per_epoch(self, sampling: Sampling) -> int:
        """The number of batches in an epoch.

        Raises:
            UserError: there are fewer groups than a batch has.
        """
        groups = len(self.groups) - self.lone
        if sampling.method == "by_size" and groups >= sampling.batch_groups:
            groups = sum(self.sizes.pairs())
        return steps_per_epoch(sampling, groups, self.texts_read)


@dataclass(frozen=True)
class Prepared:
    """What is made once per data set and recipe, before training: shared by all workers."""

    vocabulary: Vocabulary
    embeddings: np.ndarray
    coverage: Coverage | None


def prepare(
    recipe: Recipe, data: TrainingData, pairs: Sequence[Pair], vectors: bool = True
) -> Prepared:
    """Check that the recipe suits the data, and make the vocabulary and initial embeddings.

    Args:
        recipe: every setting.
        data: the groups.
        pairs: development pairs.
        vectors: whether the initial embeddings are needed; zeros take the place of those that a
            checkpoint will replace.

    Raises:
        UserError: there are fewer groups than a batch has, the learning rate would never be
            reached, or the vectors cannot be used.
    """
    steps = data.steps_per_epoch(recipe.sampling)
    steps *= recipe.training.epochs
    if recipe.optimizer.warmup_steps >= steps:
        raise UserError(
            f"optimizer.warmup_steps={recipe.optimizer.warmup_steps:,}, but the whole run has "
            f"{steps:,} steps: the learning rate would never be reached. Lower it, or raise "
            "training.epochs."
        )
    characters = Counter(data.characters)
    if recipe.text.include_dev:
        characters += count_characters(text for pair in pairs for text in (pair.text1, pair.text2))
    vocabulary = Vocabulary(characters, recipe.text.lowercase, recipe.text.min_count)
    if not vectors:
        zeros = np.zeros((len(vocabulary), recipe.encoder.embedding_dim), np.float32)
        return Prepared(vocabulary, zeros, None)
    embeddings, coverage = initial_embeddings(
        recipe.encoder,
        recipe.seed,
        vocabulary,
        Again(lambda: (text for group in data.groups for text in group.texts)),
    )
    return Prepared(vocabulary, embeddings, coverage)
