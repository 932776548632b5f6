"""What a run trains on, whatever it was read from, and what is made of it before training."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from siamese.groups import Group
from siamese.pairs import Pair
from siamese.recipe import Recipe
from siamese.sampling import steps_per_epoch
from siamese.vectors import Coverage, initial_embeddings
from siamese.vocabulary import Vocabulary, count_characters


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more.
        characters: how often each character occurs in the texts that were read.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
    """

    groups: Sequence[Group]
    characters: Mapping[str, int]
    texts_read: int
    hash: str


@dataclass(frozen=True)
class Prepared:
    """What is made once per data set and recipe, before training: shared by all workers."""

    vocabulary: Vocabulary
    embeddings: np.ndarray
    coverage: Coverage | None


def prepare(recipe: Recipe, data: TrainingData, pairs: Sequence[Pair]) -> Prepared:
    """Make the vocabulary and the initial embeddings, and check that there is a batch's worth.

    Raises:
        UserError: there are fewer groups than a batch has, or the vectors cannot be used.
    """
    steps_per_epoch(recipe.sampling, len(data.groups), data.texts_read)
    characters = Counter(data.characters)
    if recipe.text.include_dev:
        characters += count_characters(text for pair in pairs for text in (pair.text1, pair.text2))
    vocabulary = Vocabulary(characters, recipe.text.lowercase, recipe.text.min_count)
    embeddings, coverage = initial_embeddings(
        recipe.encoder.vectors,
        recipe.encoder.embedding_dim,
        recipe.seed,
        vocabulary,
        (text for group in data.groups for text in group.texts),
    )
    return Prepared(vocabulary, embeddings, coverage)
