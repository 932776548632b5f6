"""What an audit found: doubts, weak groups and overlaps, as rows for people and programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.audit.bridges import Bridge
from siamese.audit.evidence import joined_by_others
from siamese.audit.labels import Labels
from siamese.audit.overlaps import Overlaps


@dataclass(frozen=True)
class WeakGroup:
    """A group whose two parts a single pair holds together, and whose other pairs look different.

    Attributes:
        bridge: the pair and the parts.
        across: the mean similarity of pairs of a text of each part, without the bridge itself.
        threshold: of the encoder that compared them: it calls what is below it different.
    """

    bridge: Bridge
    across: float
    threshold: float


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes:
        labels: what was audited.
        folds: of the pairs `[pairs]`.
        scores: similarities by the encoder of the fold, which never saw the pair `[pairs]`.
        expected: the grades that the pairs are expected to have, 0 to 1 `[pairs]`.
        weak_groups: the weakest first.
        overlaps: with the development pairs; None: there are no such pairs.
    """

    labels: Labels
    folds: np.ndarray
    scores: np.ndarray
    expected: np.ndarray
    weak_groups: list[WeakGroup]
    overlaps: Overlaps | None

    @property
    def doubts(self) -> np.ndarray:
        """Return how far the grade of each pair is from the expected one, 0 to 1 `[pairs]`."""
        return np.abs(self.labels.grades - self.expected)

    def order(self) -> np.ndarray:
        """Return the positions of the pairs, the most doubtful first."""
        return np.argsort(-self.doubts, kind="stable")

    def doubt_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each labelled pair, the most doubtful first."""
        doubts, grades = self.doubts, self.labels.grades
        joined = joined_by_others(self.labels)
        weak = {weak.bridge.pair for weak in self.weak_groups}
        for number in self.order().tolist():
            pair = self.labels.pairs[number]
            yield {
                "text1": pair.text1,
                "text2": pair.text2,
                "grade": float(grades[number]),
                "expected": round(float(self.expected[number]), 4),
                "doubt": round(float(doubts[number]), 4),
                "score": round(float(self.scores[number]), 4),
                "fold": int(self.folds[number]),
                "why": list(self._reasons(number, bool(joined[number]), number in weak)),
            }

    def _reasons(self, number: int, is_joined: bool, is_weak: bool) -> Iterator[str]:
        """Say what speaks against a label; nothing if it is as expected."""
        expected, doubt = self.expected[number], self.doubts[number]
        if doubt > 0.5:
            yield f"models that never saw its label expect {expected:.2f}"
        if is_joined and not self.labels.are_positive[number]:
            yield "other pairs or a group say that its texts mean the same"
        if is_weak:
            yield "it alone joins two parts of a group that look different"

    def group_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each weak group, the weakest first."""
        for weak in self.weak_groups:
            number = weak.bridge.pair
            pair = self.labels.pairs[number]
            sides = [[self.labels.texts[text] for text in side] for side in weak.bridge.sides]
            yield {
                "text1": pair.text1,
                "text2": pair.text2,
                "expected": round(float(self.expected[number]), 4),
                "score": round(float(self.scores[number]), 4),
                "across": round(weak.across, 4),
                "threshold": round(weak.threshold, 4),
                "side1": sides[0],
                "side2": sides[1],
            }

    def overlap_rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each pair, and then for each text, that is a development one too."""
        if self.overlaps is None:
            return
        for own, dev in self.overlaps.pairs:
            texts, others = (own.text1, own.text2), (dev.text1, dev.text2)
            is_same = set(texts) == set(others)
            yield {
                "what": "pair",
                "equal": _how(is_same),
                "data": list(texts),
                "dev": list(others),
                "grade": own.grade,
                "dev_grade": dev.grade,
            }
        for text, other in self.overlaps.texts:
            yield {"what": "text", "equal": _how(text == other), "data": text, "dev": other}


def _how(is_same: bool) -> str:
    return "as it is" if is_same else "without punctuation, spaces, case and width"


def weak_groups(
    bridges: list[Bridge], across: list[np.ndarray], thresholds: np.ndarray
) -> list[WeakGroup]:
    """Pick the bridges whose sides look different, the weakest first.

    Args:
        bridges: any.
        across: similarities of each bridge's pairs across.
        thresholds: of the encoder that compared these, for each bridge.
    """
    found = [
        WeakGroup(bridge, float(scores.mean()), float(threshold))
        for bridge, scores, threshold in zip(bridges, across, thresholds, strict=True)
        if scores.mean() <= threshold
    ]
    return sorted(found, key=lambda weak: weak.across - weak.threshold)
