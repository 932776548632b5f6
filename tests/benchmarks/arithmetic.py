"""The arithmetic that a training step needs: its matrix products, each taken once.

What is not a matrix product (gates, dropout, softmax, Adam) is not counted: a step that reaches the
whole peak would do all of it for nothing. A product takes two operations, a multiplication and an
addition; its gradient takes as many with respect to each of its two factors.
"""

from collections.abc import Sequence

import numpy as np


def encoder_operations(
    ids: np.ndarray, size: int, units: Sequence[int], trained: bool, heads: int = 0
) -> int:
    """Of the forward and backward pass of an encoder.

    Args:
        ids: of a batch, 0 where there is no character, `[batch, time]`.
        size: numbers of a character.
        units: of each layer, in one direction.
        trained: whether the characters are.
        heads: of the attention that pools; 0: it is another pooling.
    """
    lengths = (ids > 0).sum(axis=1)
    characters = int(lengths.sum())
    # A text's first character meets a state of zeros.
    continued = characters - int((lengths > 0).sum())
    # What a layer reads: each character of the batch once, later ones each output of the one below.
    read = len(np.unique(ids[ids > 0]))
    total = 0
    for number, own in enumerate(units):
        passes = 3 if trained or number else 2
        both_gates = 2 * 4 * own
        total += passes * 2 * read * size * both_gates
        total += 3 * 2 * continued * own * both_gates
        size, read = 2 * own, characters
    return total + 3 * 2 * characters * size * heads


def comparing_operations(groups: int, columns: int, size: int) -> int:
    """Of the contrastive loss: both texts of every group with every column, and its gradient."""
    return 3 * 2 * 2 * groups * columns * size
