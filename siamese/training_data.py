"""What a run trains on, whatever it was read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siamese.groups import Group


@dataclass(frozen=True)
class TrainingData:
    """Groups, and what is known about their texts.

    Attributes:
        groups: groups of two different texts or more.
        characters: how often each character occurs in the texts that were read.
        texts_read: texts read, those that were later folded or dropped included.
        hash: changes when the data do.
    """

    groups: Sequence[Group]
    characters: Mapping[str, int]
    texts_read: int
    hash: str
