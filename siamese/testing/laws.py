"""The laws that every part must keep, and how a broken one is reported."""

from collections.abc import Mapping

import numpy as np

WORKERS = "N workers = 1"
MICRO_BATCHES = "micro-batches = whole"
ORDER = "padding and order change nothing"
RESUMED = "resumed = unbroken"
SAVED = "saved = loaded"


class LawBroken(AssertionError):  # noqa: N818
    """A part breaks a law.

    Args:
        law: which one.
        found: the numbers that differ.

    Attributes:
        law: which one.
    """

    def __init__(self, law: str, found: str) -> None:
        super().__init__(f"the law `{law}` is broken: {found}")
        self.law = law


def require_same(
    law: str,
    found: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    tolerance: float = 0.0,
) -> None:
    """Compare named arrays.

    Args:
        law: that they must keep.
        found: of the part used in some other way.
        expected: of the part used plainly.
        tolerance: the largest difference that is rounding, as a share of an array's largest number
            (of 1 if that is smaller); 0: bit for bit.

    Raises:
        LawBroken: names the array that differs most, and both of its numbers.
    """
    if found.keys() != expected.keys():
        raise LawBroken(law, f"{sorted(found)} where there should be {sorted(expected)}")
    worst, message = tolerance, ""
    for name, right in expected.items():
        wrong, right = np.asarray(found[name], float), np.asarray(right, float)
        if wrong.shape != right.shape:
            raise LawBroken(law, f"{name} has the shape {wrong.shape}, not {right.shape}")
        if not right.size:
            continue
        with np.errstate(invalid="ignore"):  # of two infinities
            apart = np.where(wrong == right, 0.0, np.abs(wrong - right))
        apart = np.nan_to_num(apart, nan=np.inf) / max(1.0, float(np.nanmax(np.abs(right))))
        place = np.unravel_index(int(np.argmax(apart)), apart.shape)
        if apart[place] > worst:
            worst = float(apart[place])
            index = f"[{', '.join(map(str, place))}]" if place else ""
            message = f"{name}{index} is {wrong[place]:.9g}, not {right[place]:.9g}"
    if message:
        raise LawBroken(law, message)
