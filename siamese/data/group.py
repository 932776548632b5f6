"""A group of paraphrases."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Texts that mean the same, and texts known to mean something else (hard negatives).

    A group of one text has at least one negative.
    """

    id: str
    texts: tuple[str, ...]
    negatives: tuple[str, ...] = ()
