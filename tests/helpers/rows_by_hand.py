"""Rows of a batch written by hand, as a loss gets them."""

import numpy as np

from siamese.config.recipe import Text
from siamese.data.batching import Batch, make_batch
from siamese.data.rows import Rows
from siamese.encoder.keras_tf import tf
from siamese.text.vocabulary import Vocabulary, count_characters
from siamese.training.loss import LossInputs


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def inputs(embeddings: tf.Tensor, batch: Batch) -> LossInputs:
    """Those of the only replica."""
    return LossInputs(embeddings, *map(tf.constant, batch[3:]))


def batch_arrays(rows: Rows, hard_negatives: int = 2):
    """With room for two hard negatives a group, so that some columns hold no text."""
    return make_batch(rows, Vocabulary(count_characters(rows.texts)), Text(), hard_negatives)


def make_rows(first, second, negatives, own, other_pairs=(), others=(), grades=None) -> Rows:
    """Grades are those of the other pairs, if they are not 0."""
    texts = len(first) + len(second) + len(negatives) + len(others)
    positive = [(n, n + len(first)) for n in range(len(first))]
    pairs = np.array([*positive, *other_pairs], np.int32)
    of_others = grades or [0.0] * len(other_pairs)
    graded = np.array([1.0] * len(first) + of_others, np.float32)
    noise = np.arange(texts, dtype=np.uint32)
    return Rows(first, second, list(others), negatives, own, pairs, graded, noise)


ROWS = {
    "plain": make_rows(
        ["甲", "乙", "丙"], ["子", "丑", "寅"], [], [("甲", "子"), ("乙", "丑"), ("丙", "寅")]
    ),
    "hard negatives": make_rows(
        ["甲", "乙"], ["子", "丑"], ["天", "地", "人"], [("甲", "子"), ("乙", "丑", "午")]
    ),
    "a hard negative that is another row's own text": make_rows(
        ["甲", "乙"], ["子", "丑"], ["午", "丑"], [("甲", "子"), ("乙", "丑", "午")]
    ),
    "groups that share a text": make_rows(
        ["甲", "乙", "丙"], ["子", "甲", "寅"], ["天"], [("甲", "子"), ("乙", "甲"), ("丙", "寅")]
    ),
    "negative pairs of texts that are in no group, or in one": make_rows(
        ["甲", "乙"], ["子", "丑"], ["天"], [("甲", "子"), ("乙", "丑", "午")], others=["人", "午"]
    ),
}
