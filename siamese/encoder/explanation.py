"""Why two texts are similar: what each character adds to the similarity, or takes from it.

A character's contribution is found by leaving it out (occlusion; Zeiler and Fergus, 2014): anyone
can check it with `SentenceEncoder.similarity`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from siamese.config.recipe import Similarity
from siamese.encoder.similarity import pairwise_similarity


@dataclass(frozen=True)
class Explanation:
    """What the characters of two texts contribute to their similarity.

    Attributes:
        text1: a text.
        text2: another.
        similarity: of the two.
        contributions1: for each character of `text1`, the similarity minus that without the
            character: above 0 where it brings the texts together, below 0 where it sets them
            apart, 0 where it is beyond what the encoder reads.
        contributions2: the same for `text2`.
    """

    text1: str
    text2: str
    similarity: float
    contributions1: tuple[float, ...]
    contributions2: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name, ready for JSON."""
        return asdict(self)


def explain(
    text1: str,
    text2: str,
    encode: Callable[[list[str]], np.ndarray],
    kind: Similarity,
    count_read: Callable[[str], int],
) -> Explanation:
    """Explain a similarity.

    Args:
        text1: a text.
        text2: another.
        encode: texts -> embeddings `[texts, dim]`.
        kind: the recipe's `evaluation.similarity`.
        count_read: says how many characters of a text, from its beginning, the encoder reads.
    """
    # Of what is cut nothing may move up into the place of a character that is left out.
    read1, read2 = (text[: count_read(text)] for text in (text1, text2))
    without1, without2 = _without_each(read1), _without_each(read2)
    embeddings = encode([text1, text2, *without1, *without2])
    one, other = embeddings[0], embeddings[1]
    # Each text's variants, against the other text as it is.
    against = np.stack([other, *[other] * len(without1), *[one] * len(without2)])
    variants = np.concatenate([one[None], embeddings[2:]])
    similarity, *rest = pairwise_similarity(variants, against, kind).tolist()
    less = [similarity - each for each in rest]
    return Explanation(
        text1,
        text2,
        similarity,
        _padded(less[: len(without1)], len(text1)),
        _padded(less[len(without1) :], len(text2)),
    )


def _without_each(text: str) -> list[str]:
    return [text[:i] + text[i + 1 :] for i in range(len(text))]


def _padded(contributions: list[float], length: int) -> tuple[float, ...]:
    return (*contributions, *[0.0] * (length - len(contributions)))
