"""Character dropout: training reads some characters as unknown, so that it learns to do without."""

import numpy as np

from siamese.text.vocabulary import PADDING_ID, UNKNOWN_ID

# Tell these draws from those of the layers' dropout, and positions from each other.
_SALT, _TIME = np.uint32(0x5BD1E995), np.uint32(0x85EBCA6B)


def drop_characters(ids: np.ndarray, noise: np.ndarray, rate: float) -> np.ndarray:
    """Put the unknown id in the place of some characters.

    Which ones is a pure function of the row's noise and the position, as in `RowDropout`: it does
    not depend on the worker, the micro-batch or the padding.

    Args:
        ids: int32 `[rows, time]`; padding stays.
        noise: uint32 `[rows]`.
        rate: the share of the characters.

    Returns:
        int32 `[rows, time]`.
    """
    if not rate:
        return ids
    position = np.arange(ids.shape[1], dtype=np.uint32)
    drawn = _mixed(_mixed(noise ^ _SALT)[:, None] ^ position * _TIME)
    dropped = (drawn < np.uint32(rate * 2**32)) & (ids != PADDING_ID)
    return np.where(dropped, np.int32(UNKNOWN_ID), ids)


def _mixed(values: np.ndarray) -> np.ndarray:
    """Hash each uint32 (Wellons' lowbias32)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        values = (values ^ values >> np.uint32(shift)) * np.uint32(factor)
    return values ^ values >> np.uint32(16)
