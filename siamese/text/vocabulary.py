"""Characters <-> ids."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from siamese.config.encoder_sections import Normalization
from siamese.errors import UserError
from siamese.storage.atomic import read_json, write_json
from siamese.text.normalization import usual_forms

PADDING_ID = 0
UNKNOWN_ID = 1
FIRST_ID = 2
VERSION = 1
# Lengths are rounded up to a multiple of this, so that few distinct shapes reach the encoder.
LENGTH_MULTIPLE = 8


class Vocabulary:
    """A character vocabulary: 0 is padding, 1 an unknown character, then by falling frequency.

    Characters of equal frequency are ordered by code point, so that the ids depend on nothing but
    the counts.

    Args:
        counts: how often each character occurs.
        lowercase: whether case is folded before characters are looked up (`str.casefold`, which
            unlike `str.lower` treats each character for itself).
        min_count: characters that occur less often are left out, and so are unknown.
        normalize: the recipe's `text.normalize`: how other forms of a character are made one with
            the usual, before case is folded.

    Raises:
        UserError: `normalize` needs a package that is missing.
    """

    def __init__(
        self,
        counts: Mapping[str, int],
        lowercase: bool = False,
        min_count: int = 1,
        normalize: Normalization = "none",
    ) -> None:
        self.lowercase = lowercase
        self.normalize = normalize
        self._forms = usual_forms(normalize)
        read: Counter[str] = Counter()
        for character, count in counts.items():
            for each in self.read(character):
                read[each] += count
        self._number(read, min_count)

    def _number(self, counts: Mapping[str, int], min_count: int) -> None:
        """Give an id to each character that occurs often enough."""
        kept = [(c, n) for c, n in counts.items() if n >= min_count]
        kept.sort(key=lambda item: (-item[1], item[0]))
        self.characters = [character for character, _ in kept]
        self.counts = dict(kept)
        self._table = self._ids_by_code_point()

    def _ids_by_code_point(self) -> np.ndarray:
        """Make a table from code point to id; its last row stands for every code point past it."""
        points = np.fromiter(map(ord, self.characters), np.int64, len(self.characters))
        table = np.full(points.max(initial=0) + 2, UNKNOWN_ID, np.int32)
        table[points] = np.arange(FIRST_ID, FIRST_ID + len(points), dtype=np.int32)
        return table

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not the tables, which are large."""
        return {name: value for name, value in vars(self).items() if name[0] != "_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was pickled."""
        vars(self).update(state)
        self._forms = usual_forms(self.normalize)
        self._table = self._ids_by_code_point()

    def __len__(self) -> int:
        """Return the number of ids: padding, unknown, and one for each character."""
        return FIRST_ID + len(self.characters)

    def read(self, text: str) -> str:
        """Return a text with the characters that are looked up: usual forms, case folded."""
        if self._forms:
            text = text.translate(self._forms)
        return text.casefold() if self.lowercase else text

    def count_read(self, text: str, max_length: int) -> int:
        """Count the characters of a text, from its beginning, that are not cut.

        They are `max_length`, or fewer where case folding or a usual form makes several of one.
        """
        ends = np.cumsum([len(self.read(character)) for character in text], dtype=np.int64)
        return min(int(np.searchsorted(ends, max_length)) + 1, len(text))

    def encode(
        self, texts: Sequence[str], max_length: int, length: int | None = None
    ) -> np.ndarray:
        """Turn texts into ids, padded and cut at the end.

        Args:
            texts: the texts.
            max_length: characters beyond it are cut.
            length: width of the result; by default the longest text rounded up to a multiple of
                8, and `max_length` at most.

        Returns:
            int32 ids `[len(texts), time]`.
        """
        texts = [self.read(text) for text in texts]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        cut = np.minimum(lengths, max_length)
        if length is None:
            longest = max(int(cut.max(initial=1)), 1)
            length = min(-(-longest // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, max_length)
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        flat = self._table[np.minimum(points, len(self._table) - 1)]
        # Position of each character in its text; those past max_length are dropped.
        starts = np.cumsum(lengths) - lengths
        position = np.arange(len(points)) - np.repeat(starts, lengths)
        row = np.repeat(np.arange(len(texts)), lengths)
        kept = position < max_length
        ids = np.zeros((len(texts), length), np.int32)
        ids[row[kept], position[kept]] = flat[kept]
        return ids

    def are_unknown(self, texts: Iterable[str], max_length: int) -> Iterator[bool]:
        """Say of each text whether an encoder reads only unknown characters, punctuation aside.

        Args:
            texts: the texts; of empty ones it does not.
            max_length: characters beyond it are not read.
        """
        known = self.counts.keys()
        telling = set(filter(_tells, known))

        def is_unknown(text: str) -> bool:
            if not telling.isdisjoint(text):
                return False
            return known.isdisjoint(text) or any(map(_tells, text))

        for text in texts:
            yield bool(text) and is_unknown(self.read(text)[:max_length])

    def count_unknown(self, texts: Iterable[str], max_length: int) -> int:
        """Count the texts of which `are_unknown` says so."""
        return sum(self.are_unknown(texts, max_length))

    def count_partly_unknown(self, texts: Iterable[str], max_length: int) -> int:
        """Count the texts of which an encoder reads an unknown character.

        Args:
            texts: the texts.
            max_length: characters beyond it are not read.
        """
        known = self.counts.keys()
        return sum(not known >= set(self.read(text)[:max_length]) for text in texts)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        value = {
            "version": VERSION,
            "lowercase": self.lowercase,
            "characters": "".join(self.characters),
            "counts": list(self.counts.values()),
        }
        if self.normalize != "none":
            value["normalize"] = self.normalize
        write_json(path, value)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read a vocabulary that `save` wrote.

        Raises:
            UserError: the file is missing, damaged or of another version, or needs a package that
                is missing.
        """
        value = read_json(path)
        try:
            if value["version"] != VERSION:
                raise UserError(
                    f"{path}: is of version {value['version']}, this release reads {VERSION}."
                )
            characters, numbers, lowercase = (
                value[key] for key in ("characters", "counts", "lowercase")
            )
            whole = all(type(number) is int for number in numbers)
            if not (whole and isinstance(characters, str) and isinstance(lowercase, bool)):
                raise ValueError("not characters and whole numbers")
            counts = dict(zip(characters, numbers, strict=True))
            if len(counts) < len(numbers):
                raise ValueError("a character occurs twice")
            normalize = value.get("normalize", "none")
            if normalize not in get_args(Normalization):
                raise ValueError(f"normalize is {normalize!r}")
            vocabulary = cls({}, lowercase=lowercase, normalize=normalize)
            vocabulary._number(counts, 1)  # as read, by the tables of that day
            if vocabulary.characters != [*characters]:  # or their ids would be others
                raise ValueError("characters that are not in order")
            return vocabulary
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a vocabulary ({error!r}). Write it again.") from None


def _tells(character: str) -> bool:
    """Say whether a character is more than a space or punctuation."""
    return unicodedata.category(character)[0] not in "ZPC"


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """Count how often each character occurs."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    return counts


def count_cut(texts: Iterable[str], max_length: int) -> int:
    """Count the texts that are longer than an encoder reads, and so are cut."""
    return sum(len(text) > max_length for text in texts)
