"""Rows of texts -> what a training step takes: padded ids, and who may not be whose negative."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from siamese.config.recipe import Text
from siamese.data.character_dropout import drop_characters
from siamese.data.rows import Rows
from siamese.text.vocabulary import Vocabulary

# Stands for a hard negative that a group does not have: no row is compared with it.
NO_TEXT = np.iinfo(np.int64).min


class Teacher(Protocol):
    """Knows vectors of some texts; see `siamese.training.teaching`.

    Attributes:
        dim: numbers in a vector: those of the student's embeddings.
        order: the texts that it knows in the order of neighbourhoods: the positions of the first
            `NEIGHBOURHOOD` texts, which are near each other, then of the next ones, int32
            `[texts]`.
    """

    dim: int
    order: np.ndarray

    def texts_at(self, positions: np.ndarray) -> list[str]:
        """Return the texts at some positions."""

    def vectors_of(self, texts: Sequence[str]) -> np.ndarray:
        """Return vectors of unit length, float32 `[n, dim]`; zeros for texts that are not known."""


class Batch(NamedTuple):
    """One worker's share of a batch: B groups, R rows (see `rows.Rows`).

    Attributes:
        micro_batches: ids of the rows' characters, sorted by length; each micro-batch is int32
            `[rows, time]`, and all together have R rows. Without gradient caching there is one.
        noise: what the dropout of the micro-batches' rows is drawn from, uint32 `[rows]` each.
        positions: where each row is in the micro-batches' rows, int32 `[R]`.
        column_keys: a 64-bit hash of each row's text, then `NO_TEXT` for each hard negative that
            was asked for and is not there, int64 `[columns]`: as many for every worker.
        own_groups: for each text of each group, the group's number in the share, int32 `[N]`.
        own_keys: the hash of that text, int64 `[N]`.
        pairs: the rows of the two texts of each labelled pair, then -1 for what hard negatives that
            are not there leave out: as many for every worker, int32 `[pairs, 2]`.
        grades: of these pairs, from 0 (they mean something else) to 1 (the same), float32
            `[pairs]`.
        teacher: the teacher's vector of each column's text, of unit length, or zeros, float32
            `[columns, teacher's dim]`; without a teacher it has no numbers.
    """

    micro_batches: tuple[np.ndarray, ...]
    noise: tuple[np.ndarray, ...]
    positions: np.ndarray
    column_keys: np.ndarray
    own_groups: np.ndarray
    own_keys: np.ndarray
    pairs: np.ndarray
    grades: np.ndarray
    teacher: np.ndarray


def make_batch(
    rows: Rows,
    vocabulary: Vocabulary,
    text: Text,
    hard_negatives: int,
    micro_batch_groups: int | None = None,
    teacher: Teacher | None = None,
) -> Batch:
    """Turn rows into ids for a training step.

    Args:
        rows: of this worker's share.
        vocabulary: gives the ids.
        text: the recipe's section.
        hard_negatives: how many were asked for of each group.
        micro_batch_groups: cut the rows into micro-batches of so many groups' rows.
        teacher: knows vectors of some of the texts.
    """
    texts = rows.texts
    groups = len(rows.own)
    own = [key for keys in rows.own for key in keys]
    keys = hash_texts([*texts, *own])
    columns = len(texts) - len(rows.negatives) + groups * hard_negatives
    column_keys = np.full(columns, NO_TEXT)
    column_keys[: len(texts)] = keys[: len(texts)]
    # Room for the pairs of a group's two texts with each hard negative that was asked for.
    most = len(rows.pairs) + 2 * (groups * hard_negatives - len(rows.negatives))
    pairs = np.full((most, 2), -1, np.int32)
    pairs[: len(rows.pairs)] = rows.pairs
    grades = np.zeros(most, np.float32)
    grades[: len(rows.grades)] = rows.grades
    vectors = np.zeros((columns, teacher.dim if teacher else 0), np.float32)
    if teacher:
        vectors[: len(texts)] = teacher.vectors_of(texts)
    order = np.argsort([len(t) for t in texts], kind="stable")
    positions = np.empty(len(texts), np.int32)
    positions[order] = np.arange(len(texts), dtype=np.int32)
    width = text.max_length if text.padding == "max_length" else None
    size = (micro_batch_groups or groups) * columns // groups
    cuts = [*range(0, len(texts), size), len(texts)]
    return Batch(
        micro_batches=tuple(
            drop_characters(
                vocabulary.encode([texts[i] for i in order[start:end]], text.max_length, width),
                rows.noise[order[start:end]],
                text.unknown_rate,
            )
            for start, end in pairwise(cuts)
        ),
        noise=tuple(rows.noise[order[start:end]] for start, end in pairwise(cuts)),
        positions=positions,
        column_keys=column_keys,
        own_groups=np.repeat(np.arange(groups, dtype=np.int32), [len(group) for group in rows.own]),
        own_keys=keys[len(texts) :],
        pairs=pairs,
        grades=grades,
        teacher=vectors,
    )


def hash_texts(texts: Sequence[str] | np.ndarray) -> np.ndarray:
    """Hash texts so that every process gets the same (Python's own hashes differ)."""
    values = np.empty(len(texts), object)
    values[:] = texts
    return pd.util.hash_array(values, categorize=False).view(np.int64)
