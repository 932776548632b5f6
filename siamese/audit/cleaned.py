"""The data set without its most doubtful pairs."""

from dataclasses import dataclass

import numpy as np

from siamese.audit.findings import Findings
from siamese.audit.labels import Labels
from siamese.audit.pieces import pieces_of
from siamese.data.sharding import write_data_set


@dataclass(frozen=True)
class LeftOut:
    """What a cleaned data set is without.

    Attributes:
        doubtful: which pairs are left out as doubtful, bool `[pairs]`.
        overlapping: which others because a text of theirs is a development one, bool `[pairs]`.
        texts: the development texts in the data.
    """

    doubtful: np.ndarray
    overlapping: np.ndarray
    texts: frozenset[str]

    def __str__(self) -> str:
        """Say it for people."""
        words = f"without the {int(self.doubtful.sum()):,} most doubtful pairs"
        if self.texts:
            words += (
                f", and without {len(self.texts):,} texts that are development ones too and the "
                f"{int(self.overlapping.sum()):,} other pairs that have them"
            )
        return words


def leave_out(findings: Findings, share: float) -> LeftOut:
    """Choose what to leave out.

    Args:
        findings: of an audit.
        share: of the labelled pairs, the most doubtful ones.
    """
    labels = findings.labels
    doubtful = np.zeros(len(labels.pairs), bool)
    doubtful[findings.order()[: round(share * len(labels.pairs))]] = True
    texts = findings.overlaps.texts_of_data if findings.overlaps else frozenset()
    overlapping = [pair.text1 in texts or pair.text2 in texts for pair in labels.pairs]
    return LeftOut(doubtful, np.array(overlapping, bool) & ~doubtful, frozenset(texts))


def write_cleaned(output: str, labels: Labels, left_out: LeftOut, fresh: bool) -> None:
    """Write the data set of what is left; its pairs are joined into groups anew.

    Args:
        output: the folder, a path or URI.
        labels: all of them.
        left_out: what it is without.
        fresh: replace a data set that is there.

    Raises:
        UserError: nothing is left to train on, or something is in the way.
    """
    kept = ~left_out.doubtful & ~left_out.overlapping
    name = "what the audit left"
    write_data_set(pieces_of(labels, kept, left_out.texts, name), name, output, fresh=fresh)
