"""Draw texts that nobody labelled, but a teacher knows, near ones together.

Texts drawn at random have little to do with each other, and teach little: what counts is which of
several near texts is nearer. So a teacher's texts come in an order of neighbourhoods, and a batch
takes some whole ones.
"""

from dataclasses import replace

import numpy as np

from siamese.config.recipe import NEIGHBOURHOOD
from siamese.data.batching import Teacher
from siamese.data.rows import Position, Rows


def with_unlabelled(rows: Rows, teacher: Teacher, count: int, position: Position) -> Rows:
    """Add a share of some neighbourhoods of a teacher's texts to the rows of a batch.

    Every batch is a draw of its own: all neighbourhoods have the same chance at every step.

    Args:
        rows: of this worker's share.
        teacher: knows the texts.
        count: texts in the global batch, a multiple of `NEIGHBOURHOOD`.
        position: where in the run, and for which worker.
    """
    size = count // NEIGHBOURHOOD
    whole = len(teacher.order) // NEIGHBOURHOOD
    generator = position.generator(8)
    drawn = generator.choice(whole, size, replace=whole < size)[position.share(size)]
    numbers = teacher.order[: whole * NEIGHBOURHOOD].reshape(whole, NEIGHBOURHOOD)[drawn].ravel()
    noise = generator.integers(2**32, size=(size, NEIGHBOURHOOD), dtype=np.uint32)
    return replace(
        rows,
        unlabelled=teacher.texts_at(numbers),
        noise=np.concatenate([rows.noise, noise[position.share(size)].ravel()]),
    )
