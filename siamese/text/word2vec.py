"""Character vectors: word2vec files -> an embedding matrix, and training them with gensim."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from siamese.config.recipe import Encoder
from siamese.errors import UserError
from siamese.text.vocabulary import FIRST_ID, Vocabulary
from siamese.text.word2vec_file import Vectors

Item = TypeVar("Item")


@dataclass(frozen=True)
class Coverage:
    """How many characters of a vocabulary have a vector, and what share of the running text."""

    characters: int
    covered: int
    occurrences: float

    def __str__(self) -> str:
        return (
            f"{self.covered:,} of {self.characters:,} characters have a vector "
            f"({self.occurrences:.1%} of the running text)"
        )


def load_vectors(path: Path, dim: int, vocabulary: Vocabulary) -> tuple[np.ndarray, Coverage]:
    """Read the vectors of a vocabulary's characters from a word2vec file, text or binary.

    Args:
        path: the file.
        dim: the size the vectors must have.
        vocabulary: whose characters to look up.

    Returns:
        float32 `[len(vocabulary), dim]`, zeros for padding, the unknown id and characters without
        a vector, as in the notebook; and the coverage.

    Raises:
        UserError: the file is missing or broken, its vectors are of another size, or it has none
            for any of the characters.
    """
    file = Vectors(path)
    count, found = file.header
    if found != dim:
        raise UserError(
            f"{path}: its vectors have {found} numbers, the recipe asks for {dim}. Set "
            f"encoder.embedding_dim={found}, or give a file of {dim}."
        )
    vectors = file.of(set(vocabulary.characters))
    if vocabulary.characters and not vectors:
        raise UserError(
            f"{path}: its {count:,} vectors are of none of the {len(vocabulary.characters):,} "
            "characters of the training texts. It is in another encoding or language, or of words: "
            "give a file of characters, or set encoder.vectors=train."
        )
    matrix = np.zeros((len(vocabulary), dim), np.float32)
    covered = occurrences = 0
    for row, character in enumerate(vocabulary.characters, start=FIRST_ID):
        if character in vectors:
            matrix[row] = vectors[character]
            covered += 1
            occurrences += vocabulary.counts[character]
    total = max(sum(vocabulary.counts.values()), 1)
    return matrix, Coverage(len(vocabulary.characters), covered, occurrences / total)


class Again(Iterable[Item]):
    """Iterates over something as often as asked, without holding it in memory.

    Args:
        begin: returns a new iterator.
    """

    def __init__(self, begin: Callable[[], Iterator[Item]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[Item]:
        return self._begin()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block ends.

    An exception that arises while a compiled module is imported may come out as an `ImportError`;
    gensim takes that for a module that is missing, and goes on without it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    caught: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        # Not by a mask: another thread, such as one of OpenBLAS, would receive it.
        signal.signal(number, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for again in caught:
            signal.raise_signal(again)


def train_vectors(
    texts: Iterable[str], dim: int, seed: int, epochs: int = 5, min_count: int = 1
) -> "dict[str, np.ndarray]":
    """Train character vectors: skip-gram word2vec (Mikolov et al., 2013), one character a word.

    One thread, so that the same texts and seed give the same vectors.

    Args:
        texts: any texts; iterated over several times, so not an iterator.
        dim: numbers in a vector.
        seed: of the initial vectors and the sampling.
        epochs: passes over the texts.
        min_count: rarer characters get no vector.

    Returns:
        Each character's vector, float32 `[dim]`, the most frequent first.

    Raises:
        UserError: no character occurs often enough.
    """
    with _signals_held_back():
        from gensim.models import Word2Vec

    sentences = Again(lambda: ([c for c in text if not c.isspace()] for text in texts))
    try:
        model = Word2Vec(
            sentences,
            vector_size=dim,
            window=5,
            sg=1,
            min_count=min_count,
            epochs=epochs,
            seed=seed,
            workers=1,
        )
    except RuntimeError:
        raise UserError(
            f"no character occurs {min_count} times in these texts: there is nothing to train "
            "vectors on. Give more texts."
        ) from None
    return {character: model.wv[character] for character in model.wv.index_to_key}


def initial_embeddings(
    recipe: Encoder, seed: int, vocabulary: Vocabulary, texts: Iterable[str]
) -> tuple[np.ndarray, Coverage | None]:
    """Make the embedding matrix that a recipe's `encoder.vectors` asks for.

    It comes from a word2vec file, from `train` (word2vec on the run's texts) or is random (`none`).
    Padding and the unknown id have zeros, so that an unknown character says nothing unless training
    has met some.

    Args:
        recipe: the recipe's section.
        seed: for `train` and `none`.
        vocabulary: gives the rows.
        texts: the run's texts, read for `train` only, several times.

    Returns:
        float32 `[len(vocabulary), dim]`, and the coverage of a file.
    """
    source, dim, limit = recipe.vectors, recipe.embedding_dim, recipe.embedding_range
    if source == "none":
        random = np.random.default_rng(seed).uniform(-limit, limit, (len(vocabulary), dim))
        random[:FIRST_ID] = 0
        return random.astype(np.float32), None
    if source != "train":
        return load_vectors(Path(source), dim, vocabulary)
    trained = train_vectors(Again(lambda: map(vocabulary.read, texts)), dim, seed)
    matrix = np.zeros((len(vocabulary), dim), np.float32)
    for row, character in enumerate(vocabulary.characters, start=FIRST_ID):
        if character in trained:
            matrix[row] = trained[character]
    return matrix, None
