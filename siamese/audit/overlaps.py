"""Texts and pairs that are in a data set and among development pairs too."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siamese.audit.labels import Labels
from siamese.data.pair import Pair


@dataclass(frozen=True)
class Overlaps:
    """What is on both sides.

    Attributes:
        texts: `(text of the data, text of the development pairs)`.
        pairs: `(labelled pair of the data, development pair)`, whichever text comes first.
    """

    texts: list[tuple[str, str]]
    pairs: list[tuple[Pair, Pair]]

    @property
    def texts_of_data(self) -> set[str]:
        """Return the texts of the data that are, or nearly are, development texts."""
        return {text for text, _ in self.texts}


def find_overlaps(labels: Labels, dev: Sequence[Pair]) -> Overlaps:
    """Find texts that are equal, as they are or as far as `bare` goes; and pairs of such texts.

    Args:
        labels: of the data set, and its given groups.
        dev: development pairs.
    """
    of_data = [*labels.texts, *(text for group in labels.given for text in group.texts)]
    by_bare = _by_bare(of_data)
    of_dev = dict.fromkeys(text for pair in dev for text in (pair.text1, pair.text2))
    texts = [(own, text) for text in of_dev for own in by_bare.get(bare(text), ())]
    pairs_by_bare: dict[frozenset[str], list[Pair]] = defaultdict(list)
    for pair in labels.pairs:
        pairs_by_bare[_both(pair)].append(pair)
    pairs = [(own, pair) for pair in dev for own in pairs_by_bare.get(_both(pair), ())]
    return Overlaps(texts, pairs)


def bare(text: str) -> str:
    """Return a text without what differs by accident: width, case, white space, punctuation.

    A text of nothing else stays as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")
    return kept or text


def _by_bare(texts: Iterable[str]) -> dict[str, dict[str, None]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for text in texts:
        found[bare(text)][text] = None
    return found


def _both(pair: Pair) -> frozenset[str]:
    return frozenset((bare(pair.text1), bare(pair.text2)))
