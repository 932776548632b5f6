"""Text -> ids as a table: what is needed to use a model without this package, in any language."""

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

from siamese.config.encoder_sections import Normalization
from siamese.text.vocabulary import FIRST_ID, UNKNOWN_ID, Vocabulary

# Neither separates lines in a text, nor has another form: it can separate characters here.
_BETWEEN = "\x00"


def readings(vocabulary: Vocabulary) -> Mapping[str, str]:
    """List every character that is not looked up as it is, with what is looked up in its place.

    Case folding and usual forms are in it, by the tables of this Python and this OpenCC.

    Args:
        vocabulary: of the encoder.
    """
    return _readings(vocabulary.lowercase, vocabulary.normalize)


@lru_cache
def _readings(lowercase: bool, normalize: Normalization) -> Mapping[str, str]:
    vocabulary = Vocabulary({}, lowercase, normalize=normalize)
    # Not the halves of surrogate pairs, which no text in UTF-8 has.
    points = (*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1))
    characters = [chr(point) for point in points]
    read = vocabulary.read(_BETWEEN.join(characters)).split(_BETWEEN)
    return {c: r for c, r in zip(characters, read, strict=True) if c != r}


def character_ids(vocabulary: Vocabulary) -> dict[str, list[int]]:
    """List the ids that each character is read as; any other character is the unknown one.

    So a text's ids are those of its characters, one after the other, cut at the recipe's
    `text.max_length`. Most characters have one id; "ß" has that of "s" twice.

    Args:
        vocabulary: of the encoder.
    """
    known = {c: FIRST_ID + n for n, c in enumerate(vocabulary.characters)}
    read = {**{c: c for c in vocabulary.characters}, **readings(vocabulary)}
    ids = {c: [known.get(each, UNKNOWN_ID) for each in r] for c, r in read.items()}
    return {c: numbers for c, numbers in ids.items() if numbers != [UNKNOWN_ID]}


def padded_ids(texts: Sequence[str], ids: dict[str, list[int]], max_length: int) -> list[list[int]]:
    """Turn texts into rows of ids as the table says, padded with 0 to the longest."""
    rows = [[i for c in text for i in ids.get(c, [UNKNOWN_ID])][:max_length] for text in texts]
    width = max(1, *map(len, rows)) if rows else 1
    return [row + [0] * (width - len(row)) for row in rows]
