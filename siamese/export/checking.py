"""Whether what was exported gives the same embeddings, on texts drawn from a vocabulary."""

from collections.abc import Sequence

import numpy as np

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.export.exporter import Encode

# The largest difference that is rounding; embeddings have numbers between -1 and 1.
TOLERANCE = 1e-6
# Case that `lower` and `casefold` treat differently, forms that NFKC changes, what no vocabulary
# has, what a tokenizer might take for its own, and nothing.
ODD_TEXTS = (
    *(
        "",
        " ",
        "\t\n",
        "ß",
        "STRASSE straße ẞ",
        "İstanbul İİ",
        "ﬁﬂ Ⅷ ㎏ ①",
        "ΟΔΟΣ ς",
        "ＡＢＣ１２３",
    ),
    *("\U0001f600 \U0010ffff", "e\u0301 é", "[PAD][UNK]", "<s></s>", "a\u200db\ufeff", "\x00\x01"),
)


def drawn_texts(encoder: SentenceEncoder, count: int, seed: int = 1) -> list[str]:
    """Draw texts of the encoder's characters, each as often as it was in training.

    They have 1 to 1.25 times as many characters as the encoder reads.

    Args:
        encoder: that shall read them.
        count: how many.
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    counts = encoder.vocabulary.counts
    characters = [*counts] or ["a"]
    shares = np.array([*counts.values()] or [1], float)
    most = encoder.recipe.text.max_length
    lengths = np.minimum(rng.geometric(1 / 12, count), max(most * 5 // 4, 1))
    drawn = rng.choice(len(characters), lengths.sum(), p=shares / shares.sum())
    texts = np.split(drawn, np.cumsum(lengths)[:-1])
    return ["".join(characters[each] for each in text) for text in texts]


def sample_texts(encoder: SentenceEncoder, count: int = 200) -> list[str]:
    """Draw texts, and add odd and over-long ones."""
    drawn = drawn_texts(encoder, count)
    most = encoder.recipe.text.max_length
    long = "".join(drawn) or "a"
    long *= -(-2 * most // len(long))
    return [*ODD_TEXTS, *drawn, long[:most], long[: most + 1], long[: 2 * most], "ß" * most]


def largest_difference(
    encoder: SentenceEncoder, encode: Encode, texts: Sequence[str]
) -> tuple[float, str]:
    """Compare embeddings.

    Args:
        encoder: whose embeddings are right.
        encode: what was exported.
        texts: to compare them on.

    Returns:
        The largest difference of two numbers, and its text.
    """
    apart = np.abs(encoder.encode(texts).astype(np.float64) - encode(texts))
    apart = np.nan_to_num(apart, nan=np.inf).max(axis=1)
    worst = int(np.argmax(apart))
    return float(apart[worst]), texts[worst]


def check_same(encoder: SentenceEncoder, encode: Encode) -> float:
    """Compare embeddings on sample texts.

    Returns:
        The largest difference of two numbers.

    Raises:
        UserError: it is more than rounding.
    """
    apart, text = largest_difference(encoder, encode, sample_texts(encoder))
    if apart > TOLERANCE:
        raise UserError(
            f"what was exported gives other embeddings: {apart:.1e} apart, of {text[:20]!r}. "
            "Nothing is kept. Please report it, with the versions of the packages."
        )
    return apart
