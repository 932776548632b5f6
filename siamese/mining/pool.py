"""The texts that negatives are found among, and which of them a group must not have."""

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from siamese.data.group import Group
from siamese.data.pair import NEGATIVE


def key_of(text: str) -> str:
    """Return what near duplicates have in common.

    That is the text without punctuation, symbols, spaces, and what differs by case or width alone;
    of a text that is nothing else, all of it.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.translate(_DROPPED) or folded


class _Dropped(dict[int, int | None]):
    """What `str.translate` does with a character; filled as characters come."""

    def __missing__(self, character: int) -> int | None:
        dropped = unicodedata.category(chr(character))[0] in "PSZC"
        self[character] = None if dropped else character
        return self[character]


_DROPPED = _Dropped()


class Pool:
    """All texts, each once, with numbers that do not depend on the order in which they came.

    Of near duplicates, one is a candidate: the candidates have the first numbers.

    Args:
        groups: whose texts, negatives and labelled pairs are in the pool.
        others: further texts.

    Attributes:
        texts: all texts, by their numbers.
        candidates: how many of them may be found.
    """

    def __init__(self, groups: Sequence[Group], others: Iterable[str] = ()) -> None:
        every = dict.fromkeys(text for group in groups for text in _texts_of(group))
        every.update(dict.fromkeys(text for text in others if text.strip()))
        keys = {text: key_of(text) for text in every}
        first: dict[str, str] = {}
        for text, key in keys.items():
            first[key] = min(text, first.get(key, text))
        chosen = sorted(first.values())
        self.candidates = len(chosen)
        self.texts = chosen + sorted(every.keys() - set(chosen))
        self._number_of = {text: number for number, text in enumerate(self.texts)}
        self._candidate_of = [self._number_of[first[keys[text]]] for text in self.texts]
        # The groups that have a candidate, and the candidates that it is in a labelled pair with
        # whose grade does not say that they differ.
        self._groups_of: dict[int, list[Group]] = {}
        self._related: dict[int, set[int]] = {}
        for group in groups:
            for own in self._candidates_of(group.texts):
                self._groups_of.setdefault(own, []).append(group)
            for pair in group.pairs:
                if pair.grade > NEGATIVE:
                    ends = self._candidates_of((pair.text1, pair.text2))
                    for end in ends:
                        self._related.setdefault(end, set()).update(ends)

    def numbers(self, texts: Iterable[str]) -> np.ndarray:
        """Return the numbers of texts, int64 `[texts]`."""
        return np.array([self._number_of[text] for text in texts], np.int64)

    def excluded(self, group: Group) -> np.ndarray:
        """Return the candidates that may mean the same as a group, and its own negatives.

        The former are its texts, those that a labelled pair relates to one of them by a grade that
        does not say that they differ, all texts of the groups that have one of these too, and near
        duplicates of any.

        Args:
            group: of the pool.

        Returns:
            Their numbers, int64.
        """
        near = self._candidates_of(group.texts)
        near.update(*(self._related.get(own, ()) for own in tuple(near)))
        groups = {id(each): each for own in near for each in self._groups_of.get(own, ())}
        near.update(*(self._candidates_of(each.texts) for each in groups.values()))
        return np.array(sorted(near | self._candidates_of(group.negatives)), np.int64)

    def _candidates_of(self, texts: Iterable[str]) -> set[int]:
        """Return the candidates that texts are near duplicates of."""
        return {self._candidate_of[self._number_of[text]] for text in texts}


def _texts_of(group: Group) -> Iterable[str]:
    yield from group.texts
    yield from group.negatives
    for pair in group.pairs:
        yield pair.text1
        yield pair.text2
