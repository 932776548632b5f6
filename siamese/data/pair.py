"""A labelled pair of texts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and whether they mean the same (label 1) or not (label 0)."""

    text1: str
    text2: str
    label: int
