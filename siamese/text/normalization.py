"""Other forms of a character -> the usual one, a character at a time.

Full-width letters and digits, ligatures and the like (`nfkc`), and traditional Chinese characters
(`simplified`). Each character is looked up for itself in one table, whatever its neighbours are:
so the characters of many texts, which a data set counts, become those of the same texts
normalised. What needs a look at the neighbours is left out: marks that follow a letter are not
joined to it, and a traditional character that stands for several becomes the commonest of them.
"""

import unicodedata
from functools import lru_cache

from siamese.config.encoder_sections import Normalization
from siamese.errors import UserError

# Where Unicode has characters with another form (NFKC): none is ASCII or lies beyond.
_WITH_FORMS = (range(0x80, 0xD800), range(0xE000, 0x30000))
# Where the Chinese ones are.
_CHINESE = (range(0x2E80, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x33480))


@lru_cache
def usual_forms(normalize: Normalization) -> dict[int, str]:
    """Make the table, for `str.translate`, of the characters that have another form than the usual.

    A usual form is one or several characters, which are their own usual forms.

    Args:
        normalize: the recipe's `text.normalize`.

    Raises:
        UserError: the package OpenCC is needed, and missing.
    """
    usual: dict[str, str] = {}
    if "nfkc" in normalize:
        for character in _characters(_WITH_FORMS):
            usual[character] = unicodedata.normalize("NFKC", character)
    if "simplified" in normalize:
        simplified = _simplified()
        usual = {
            c: "".join(simplified.get(each, each) for each in form) for c, form in usual.items()
        }
        usual = simplified | usual
    return str.maketrans(
        {character: form for character, form in usual.items() if form != character}
    )


def _simplified() -> dict[str, str]:
    """Look up the simplified form of every Chinese character, alone, in OpenCC."""
    try:
        from opencc import OpenCC
    except ImportError:
        raise UserError(
            "text.normalize: simplified characters need the package OpenCC: pip install "
            "'siamese-ray[opencc]'"
        ) from None
    characters = _characters(_CHINESE)
    # Each on a line of its own, so that no two are taken for a word.
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    simplified = dict(zip(characters, converted, strict=True))
    # One or two lead to a character that has a simplified form itself.
    return {character: simplified[form] for character, form in simplified.items()}


def _characters(points: tuple[range, ...]) -> list[str]:
    return [chr(point) for each in points for point in each]
