"""A labelled pair of texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from siamese.errors import UserError

# From this grade on the texts of a pair mean the same: 4 of 5, as STS grades them.
POSITIVE = 0.8
# Up to this grade they are known to mean something else: 2 of 5.
NEGATIVE = 0.4


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts and how far they mean the same: 1 the same, 0 something else, or a grade between.

    Attributes:
        text1: a text.
        text2: another text.
        grade: 0 to 1.
    """

    text1: str
    text2: str
    grade: float

    @property
    def label(self) -> int:
        """Return 1 if the grade says that the texts mean the same, else 0."""
        return int(self.grade >= POSITIVE)


def require_both_labels(pairs: Sequence[Pair], name: str) -> None:
    """Check that an encoder can be evaluated on these pairs.

    Args:
        pairs: labelled pairs.
        name: what they were read from, for the message.

    Raises:
        UserError: they do not have both labels.
    """
    labels = {pair.label for pair in pairs}
    if labels != {0, 1}:
        missing = "positive (label 1)" if 1 not in labels else "negative (label 0)"
        raise UserError(
            f"{name}: no {missing} pair among {len(pairs):,}. Judging an encoder needs pairs of "
            "both labels."
        )
