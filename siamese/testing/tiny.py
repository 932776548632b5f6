"""A handful of groups with everything that a batch may have, and an encoder of a few numbers."""

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from siamese.data.batching import NO_TEXT, Batch
from siamese.encoder.bilstm_tf import Embed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.layers import MaskedPooling
from siamese.encoder.row_dropout import RowDropout

GROUPS = 12
CHARACTERS = 30
DIM = 6


class Encoder(NamedTuple):
    """What can be trained.

    Attributes:
        embed: ids int32 `[batch, time]`, padded with 0 at the end, and noise uint32 `[batch]`, that
            all dropout is drawn from; to embeddings float32 `[batch, dim]`.
        variables: what is trained.
    """

    embed: Embed
    variables: Sequence[keras.Variable]


class Share(NamedTuple):
    """Some groups as a worker gets them.

    Attributes:
        batch: what a training step takes.
        rows: the number of each row in the batch of all groups, `[R]`.
    """

    batch: Batch
    rows: np.ndarray


def make_share(
    groups: Sequence[int] = range(GROUPS), negatives: int = 3, micro: int | None = None
) -> Share:
    """Make a batch of some groups, in this order.

    Groups have two to four texts and no, one or three hard negatives; some share a text, or have a
    text of another group as their negative. With each group comes a pair of two other texts, of
    some grade. Texts have 1 to 12 characters, and a teacher knows most of them.

    Args:
        groups: numbers below `GROUPS`.
        negatives: columns for the hard negatives of a group, 3 or more; some hold no text.
        micro: rows in a micro-batch; None: all.
    """
    own = {g: _texts(g) for g in groups}
    hard = {g: _hard_negatives(g) for g in groups}
    rows = [(0, g, own[g][0]) for g in groups] + [(1, g, own[g][1]) for g in groups]
    rows += [(2, g, f"single {g}") for g in groups] + [(3, g, f"other {g}") for g in groups]
    starts = {}
    for g in groups:
        starts[g] = len(rows)
        rows += [(4 + n, g, text) for n, text in enumerate(hard[g])]
    count = len(groups)
    pairs = [
        (2 * side * count + n, (2 * side + 1) * count + n) for side in (0, 1) for n in range(count)
    ]
    grades = [1.0] * count + [(0.0, 0.25, 0.5)[g % 3] for g in groups]
    for side in range(2):
        for n, g in enumerate(groups):
            pairs += [(n + side * count, starts[g] + i) for i in range(len(hard[g]))]
    columns, most = count * (4 + negatives), count * (2 + 2 * negatives)
    keys = [_key(text) for _, _, text in rows]
    order = np.argsort([len(_ids(text)) for _, _, text in rows], kind="stable")
    cuts = range(0, len(rows), micro or len(rows))
    parts = [order[start : start + (micro or len(rows))] for start in cuts]
    noise = np.array([zlib.crc32(f"{kind} {g}".encode()) for kind, g, _ in rows], np.uint32)
    batch = Batch(
        tuple(_padded([_ids(rows[i][2]) for i in part]) for part in parts),
        tuple(noise[part] for part in parts),
        np.argsort(order).astype(np.int32),
        np.array(keys + [NO_TEXT] * (columns - len(rows)), np.int64),
        np.repeat(np.arange(count, dtype=np.int32), [len(own[g]) for g in groups]),
        np.array([_key(text) for g in groups for text in own[g]], np.int64),
        np.array(pairs + [(-1, -1)] * (most - len(pairs)), np.int32),
        np.array(grades + [0.0] * (most - len(grades)), np.float32),
        np.stack(
            [_taught(text) for _, _, text in rows] + [np.zeros(DIM)] * (columns - len(rows))
        ).astype(np.float32),
    )
    return Share(batch, np.array([_NUMBERS[kind, g] for kind, g, _ in rows]))


def make_encoder(pooling: Callable[[], keras.layers.Layer] | None = None) -> Encoder:
    """Make an encoder: characters, dropout by the row's noise, pooling, a product and a tanh.

    Args:
        pooling: makes the pooling layer; None: the mean.
    """
    rng = np.random.default_rng(1)
    table = keras.Variable(rng.normal(size=(CHARACTERS, DIM)).astype(np.float32), name="table")
    kernel = keras.Variable(rng.normal(size=(DIM, DIM)).astype(np.float32), name="kernel")
    dropout = RowDropout(0.3, salt=1)
    pool = pooling() if pooling else MaskedPooling("mean")
    pool.build((None, None, DIM))
    for variable in pool.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))

    def embed(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        hidden = dropout(tf.gather(tf.convert_to_tensor(table), ids), noise=noise)
        pooled = pool(hidden, mask=ids != 0)
        return tf.tanh(tf.matmul(pooled, tf.convert_to_tensor(kernel)))

    return Encoder(embed, [table, kernel, *pool.trainable_variables])


def _texts(group: int) -> list[str]:
    texts = [f"text {group} {n}" for n in range(2 + group % 3)]
    return [*texts, "text 6 0"] if group == 5 else texts  # shared with group 6


def _hard_negatives(group: int) -> list[str]:
    texts = [f"negative {group} {n}" for n in range((0, 1, 3)[group % 3])]
    return ["text 7 0"] if group == 4 else texts  # a text of group 7


def _taught(text: str) -> np.ndarray:
    """Return what a teacher finds for a text: a vector of unit length, or zeros."""
    vector = np.random.default_rng(_key(text)).normal(size=DIM)
    return vector / np.linalg.norm(vector) * (_key(text) % 4 > 0)


def _key(text: str) -> int:
    return zlib.crc32(text.encode())


def _ids(text: str) -> list[int]:
    rng = np.random.default_rng(_key(text))
    ids: list[int] = rng.integers(1, CHARACTERS, size=rng.integers(1, 13)).tolist()
    return ids


def _padded(rows: list[list[int]]) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([ids + [0] * (width - len(ids)) for ids in rows], np.int32)


# The number in the batch of all groups of each row, by what it is to its group.
_NUMBERS = {
    row: number
    for number, row in enumerate(
        [(kind, g) for kind in range(4) for g in range(GROUPS)]
        + [(4 + n, g) for g in range(GROUPS) for n in range(len(_hard_negatives(g)))]
    )
}
ROWS = len(_NUMBERS)
