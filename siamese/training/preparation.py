"""Check a recipe against the data, and make what all workers share before training."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from siamese.config.recipe import Recipe
from siamese.data.dataset import TrainingData
from siamese.data.pair import Pair
from siamese.data.sampling import steps_per_epoch
from siamese.data.shards import read_shards
from siamese.encoder.weights import Weights
from siamese.errors import UserError
from siamese.text.vocabulary import Vocabulary, count_characters, count_cut
from siamese.text.word2vec import Again, Coverage, initial_embeddings
from siamese.training.initial_model import InitialModel


@dataclass(frozen=True)
class Prepared:
    """Holds what is made once per data set and recipe, before training; all workers share it.

    Attributes:
        vocabulary: the characters.
        embeddings: that they begin with, float32 `[len(vocabulary), embedding_dim]`.
        coverage: of a file of vectors.
        weights: that the run begins with if it goes on from a model; its characters are
            `embeddings`. None: all but those are random.
        origin: names that model; the run's own model tells of it.
    """

    vocabulary: Vocabulary
    embeddings: np.ndarray
    coverage: Coverage | None = None
    weights: Weights | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def prepare(
    recipe: Recipe,
    data: TrainingData,
    pairs: Sequence[Pair],
    vectors: bool = True,
    initial: InitialModel | None = None,
) -> Prepared:
    """Check that the recipe suits the data, and make the vocabulary and initial embeddings.

    Args:
        recipe: every setting.
        data: the groups.
        pairs: development pairs.
        vectors: whether the initial embeddings are needed; zeros take the place of those that a
            checkpoint will replace.
        initial: the model that the run goes on from; its characters stay, and there are no others'
            vectors.

    Raises:
        UserError: there are fewer groups than a batch has, the learning rate would never be
            reached, or the vectors or the model cannot be used.
    """
    if initial:
        initial.check_core(recipe)
    check_steps(recipe, data)
    characters = Counter(data.characters)
    if recipe.text.include_dev:
        characters += count_characters(text for pair in pairs for text in (pair.text1, pair.text2))
    if initial:
        vocabulary = initial.vocabulary_with(characters, recipe.text.min_count)
        weights = initial.weights_for(vocabulary, recipe)
        return Prepared(vocabulary, weights.characters, weights=weights, origin=initial.origin)
    text = recipe.text
    vocabulary = Vocabulary(characters, text.lowercase, text.min_count, text.normalize)
    if not vectors:
        zeros = np.zeros((len(vocabulary), recipe.encoder.embedding_dim), np.float32)
        return Prepared(vocabulary, zeros)
    embeddings, coverage = initial_embeddings(
        recipe.encoder,
        recipe.seed,
        vocabulary,
        Again(lambda: (text for group in data.groups for text in group.texts)),
    )
    return Prepared(vocabulary, embeddings, coverage)


def check_steps(recipe: Recipe, data: TrainingData) -> None:
    """Check that there is a whole batch, and that the warm-up ends before the run.

    Raises:
        UserError: there is not, or it does not.
    """
    steps = steps_per_epoch(data, recipe.sampling) * recipe.training.epochs
    warmup = recipe.optimizer.warmup_steps
    if warmup >= steps:
        raise UserError(
            f"optimizer.warmup_steps={warmup:,}, but the whole run has "
            f"{steps:,} steps: the learning rate would never be reached. Lower it, or raise "
            "training.epochs."
        )


def read_data(data: str, pairs: list[Pair], recipe: Recipe) -> tuple[TrainingData, dict[str, Any]]:
    """Read a data set.

    Returns:
        The groups, and the counts of them and of the pairs, with a hash that changes when they do.

    Raises:
        UserError: the data set cannot be used.
    """
    groups, manifest = read_shards(data)
    return groups, _summary(manifest, pairs, recipe, groups.hash)


def print_data(summary: dict[str, Any], recipe: Recipe) -> None:
    """Print what there is to train on."""
    print(
        f"{summary['groups']:,} groups, {summary['texts']:,} texts; {summary['dev_pairs']:,} "
        f"development pairs, {summary['dev_positives']:,} positive"
    )
    if recipe.loss.hard_negatives and not summary["negatives"]:
        print(
            "no hard negatives in the data set: loss.hard_negatives and loss.ranking have no "
            "effect (shard labelled pairs, or JSON Lines with `negatives`)"
        )
    if summary["texts_cut"] or summary["dev_texts_cut"]:
        print(
            f"{summary['texts_cut']:,} texts and {summary['dev_texts_cut']:,} of the development "
            f"pairs longer than {recipe.text.max_length} characters are cut"
        )


def print_prepared(
    prepared: Prepared, pairs: Sequence[Pair], recipe: Recipe, initial: InitialModel | None
) -> None:
    """Print what a run begins with, and what of the development pairs it will not know."""
    vocabulary = prepared.vocabulary
    if prepared.coverage:
        print(prepared.coverage)
    if initial:
        known = len(initial.contents.vocabulary)
        print(
            f"going on from {initial.name}: {len(vocabulary) - known:,} characters are new to its "
            f"{known:,}"
        )
    texts = _texts_of(pairs)
    if unknown := vocabulary.count_partly_unknown(texts, recipe.text.max_length):
        print(
            f"{unknown:,} of {len(texts):,} different development texts have characters that are "
            "unknown to the encoder"
        )


def _texts_of(pairs: Sequence[Pair]) -> set[str]:
    return {text for pair in pairs for text in (pair.text1, pair.text2)}


def _summary(
    manifest: dict[str, Any], pairs: list[Pair], recipe: Recipe, data_hash: str
) -> dict[str, Any]:
    """Count the data; the hash among the counts changes when the groups or the pairs do."""
    digest = hashlib.sha256(data_hash.encode())
    for pair in pairs:
        digest.update(f"{pair.text1}\t{pair.text2}\t{pair.grade:.17g}\n".encode())
    cut = sum(
        count
        for length, count in manifest["texts_by_length"].items()
        if int(length) > recipe.text.max_length
    )
    return {
        **manifest["counts"],
        "texts_cut": cut,
        "dev_texts_cut": count_cut(_texts_of(pairs), recipe.text.max_length),
        "dev_pairs": len(pairs),
        "dev_positives": sum(pair.label for pair in pairs),
        "hash": digest.hexdigest(),
    }
