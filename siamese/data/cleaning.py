"""Check and fold the texts of groups, and count what was read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from siamese.data.group import Group
from siamese.errors import UserError

# Groups that are checked and counted at a time.
BATCH = 1024


class ReadingCounts:
    """Counts what was read, and what of it was folded or dropped."""

    def __init__(self) -> None:
        self.groups_read = 0
        self.texts_read = 0
        self.groups_of_one_text_dropped = 0
        self.duplicate_texts_folded = 0
        self.pairs_read = 0
        self.contradicting_negatives_dropped = 0
        self.contradicting_labels = 0
        self.groups_of_one_text_kept = 0
        self.groups_of_one_text_kept_for_pairs = 0
        # What a user should know of the files, a line each.
        self.notes: list[str] = []
        # How often each code point was read: [1 + the largest of them].
        self._code_points = np.zeros(0, np.int64)

    def as_dict(self) -> dict[str, int]:
        """Return the plain counts, without the characters."""
        return {name: n for name, n in vars(self).items() if isinstance(n, int)}

    @property
    def characters(self) -> Counter[str]:
        """Return how often each character was read, in texts and negatives."""
        found = np.flatnonzero(self._code_points)
        return Counter(
            dict(zip(map(chr, found.tolist()), self._code_points[found].tolist(), strict=True))
        )

    def count_characters(self, texts: Iterable[str]) -> None:
        """Count every character of the texts.

        Raises:
            UnicodeEncodeError: one is half of a surrogate pair.
        """
        # Counting code points in one array is several times faster than a Counter for each text.
        found = np.bincount(np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32))
        if len(found) > len(self._code_points):
            self._code_points, found = found, self._code_points
        self._code_points[: len(found)] += found


def cleaned(groups: Iterator[Group], where: object, counts: ReadingCounts) -> Iterator[list[Group]]:
    """Yield the groups that can be trained on, a batch at a time.

    Duplicate texts of a group are folded, and groups of one text are dropped unless they have
    negatives or labelled pairs; all is counted in `counts`, as is every character.

    Args:
        groups: as they were read.
        where: what they were read from, for messages.
        counts: is added to.

    Raises:
        UserError: a group has an empty text, or half of a surrogate pair.
    """
    batch: list[Group] = []
    try:
        for group in groups:
            batch.append(group)
            if len(batch) == BATCH:
                yield _clean(batch, where, counts)
                batch = []
    except UserError:
        _refuse_first(batch, where)  # report first what is wrong further up
        raise
    yield _clean(batch, where, counts)


def _clean(groups: Sequence[Group], where: object, counts: ReadingCounts) -> list[Group]:
    texts = [text for group in groups for text in _texts_of(group)]
    try:
        if not all(map(str.strip, texts)):
            _refuse_first(groups, where)
        "".join([group.id for group in groups]).encode()
        counts.count_characters(texts)
    except UnicodeEncodeError:
        _refuse_first(groups, where)
    kept = []
    for group in groups:
        distinct = tuple(dict.fromkeys(group.texts))
        counts.texts_read += len(group.texts)
        counts.duplicate_texts_folded += len(group.texts) - len(distinct)
        if group.negatives or len(distinct) < len(group.texts):
            negatives = tuple(t for t in dict.fromkeys(group.negatives) if t not in distinct)
            group = Group(group.id, distinct, negatives, group.pairs)
        if len(distinct) > 1:
            kept.append(group)
        elif distinct and group.negatives:
            counts.groups_of_one_text_kept += 1
            kept.append(group)
        elif distinct and group.pairs:
            counts.groups_of_one_text_kept_for_pairs += 1
            kept.append(group)
        else:
            counts.groups_of_one_text_dropped += 1
    counts.groups_read += len(groups)
    return kept


def _texts_of(group: Group) -> Iterator[str]:
    """Yield the texts, the negatives, and what texts of the pairs are neither."""
    yield from group.texts
    yield from group.negatives
    if group.pairs:
        known = {*group.texts, *group.negatives}
        for pair in group.pairs:
            for text in (pair.text1, pair.text2):
                if text not in known:
                    known.add(text)
                    yield text


def _refuse_first(groups: Sequence[Group], where: object) -> None:
    """Name the first group that cannot be used, if there is one."""
    for group in groups:
        here = f"{where}, group {group.id!r}"
        _refuse_surrogates(group.id, here)
        for text in _texts_of(group):
            if not text.strip():
                raise UserError(
                    f"{here}: has an empty text. Remove it: an empty text cannot be trained on."
                )
            _refuse_surrogates(text, here)


def _refuse_surrogates(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(half_a_pair(where)) from None


def half_a_pair(where: str) -> str:
    """Write the message about half of a surrogate pair."""
    return (
        f"{where}: holds half of a surrogate pair (\\uD800 to \\uDFFF), which is not text. Write "
        "the character itself, or both halves."
    )
