"""How the notebook draws a batch (`data_generator` in `seed/notebook.md`).

The whole list of groups is shuffled before every step, so that each batch is a draw of its own. Two
texts of a group are drawn with replacement, and the rows are the two joined in both orders.
"""

import numpy as np

from siamese.data.dataset import TrainingData
from siamese.data.rows import Position, Rows

# The notebook divides the number of texts by this, whatever the batch, for the steps of an epoch.
TEXTS_PER_STEP = 512


def notebook_steps(texts_read: int) -> int:
    """Return the number of steps in an epoch."""
    return max(texts_read // TEXTS_PER_STEP, 1)


def notebook_rows(
    data: TrainingData, size: int, chances: np.ndarray, noise: np.ndarray, position: Position
) -> Rows:
    """Draw the rows of one worker's share of one global batch.

    Args:
        data: the groups.
        size: groups in the global batch.
        chances: a random number in [0, 1) for each text of a group `[B, 2 or more]`.
        noise: what each text's dropout is drawn from, uint32 `[B, 2 or more]`.
        position: of the batch.
    """
    drawn = position.generator().choice(data.multi_text_groups, size, replace=False)
    joined, turned = [], []
    for index, row in zip(drawn[position.share(size)], chances, strict=True):
        texts = data.groups[index].texts
        one, two = (texts[int(chance * len(texts))] for chance in row[:2])  # random.choices(k=2)
        joined.append(one + two)
        turned.append(two + one)
    return Rows(
        first=joined,
        second=turned,
        others=[],
        negatives=[],
        own=list(zip(joined, turned, strict=True)),
        pairs=np.arange(2 * len(joined), dtype=np.int32).reshape(2, -1).T,
        grades=np.ones(len(joined), np.float32),
        noise=noise[:, :2].ravel(order="F"),
    )
