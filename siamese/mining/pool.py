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
        number_of: the number of each text.
    """

    def __init__(self, groups: Sequence[Group], others: Iterable[str] = ()) -> None:
        every = dict.fromkeys(text for group in groups for text in _texts_of(group))
        every.update(dict.fromkeys(text for text in others if text.strip()))
        first: dict[str, str] = {}
        keys = {text: key_of(text) for text in every}
        for text, key in keys.items():
            first[key] = min(text, first.get(key, text))
        chosen = sorted(first.values())
        self.candidates = len(chosen)
        self.texts = chosen + sorted(every.keys() - set(chosen))
        self.number_of = {text: number for number, text in enumerate(self.texts)}
        self._key = np.array([self.number_of[first[keys[text]]] for text in self.texts], np.int64)
        self._members = _Meanings(self, groups)

    def numbers(self, texts: Iterable[str]) -> np.ndarray:
        """Return the numbers of texts, int64 `[texts]`."""
        return np.array([self.number_of[text] for text in texts], np.int64)

    def candidates_of(self, texts: Iterable[str]) -> np.ndarray:
        """Return the candidates that texts are near duplicates of, int64 `[texts]`."""
        return self._key[self.numbers(texts)]

    def excluded(self, group: Group) -> np.ndarray:
        """Return the candidates that may mean the same as the group, and its own negatives.

        Those are its texts, the texts of groups that have one of them too, the texts that it is in
        a labelled pair with whose grade does not say that they differ, with the groups of these,
        and near duplicates of all of them.
        """
        same = self._members.related_to(self.candidates_of(group.texts[:1])[0])
        return np.unique(np.concatenate([same, self.candidates_of(group.negatives)]))


class _Meanings:
    """Which candidates are joined by groups, and which of these sets by labelled pairs.

    Args:
        pool: of the candidates.
        groups: all of them.
    """

    def __init__(self, pool: Pool, groups: Sequence[Group]) -> None:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ones, others = [], []
        for group in groups:
            own = pool.candidates_of(group.texts)
            ones.append(np.repeat(own[:1], len(own)))
            others.append(own)
        one, other = np.concatenate(ones), np.concatenate(others)
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(pool.candidates,) * 2)
        sets, self._set_of = connected_components(graph, directed=False)
        self._order = np.argsort(self._set_of, kind="stable")
        self._ends = np.cumsum(np.bincount(self._set_of, minlength=sets))
        self._related: dict[int, set[int]] = {}
        for group in groups:
            for pair in group.pairs:
                if pair.grade > NEGATIVE:
                    a, b = self._set_of[pool.candidates_of((pair.text1, pair.text2))].tolist()
                    self._related.setdefault(a, set()).add(b)
                    self._related.setdefault(b, set()).add(a)

    def related_to(self, candidate: int) -> np.ndarray:
        """Return the candidates of its set, and of the sets that a pair relates to that one."""
        own = int(self._set_of[candidate])
        sets = sorted({own} | self._related.get(own, set()))
        starts = [self._ends[number - 1] if number else 0 for number in sets]
        return np.concatenate(
            [self._order[s : self._ends[n]] for s, n in zip(starts, sets, strict=True)]
        )


def _texts_of(group: Group) -> Iterable[str]:
    yield from group.texts
    yield from group.negatives
    for pair in group.pairs:
        yield pair.text1
        yield pair.text2
