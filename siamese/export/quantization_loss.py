"""What an encoder loses when its weights are quantised."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from siamese.data.pair import Pair
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.similarity import pairwise_similarity
from siamese.export.checking import drawn_texts
from siamese.export.exporter import Encode

DRAWN = 2000


def quantization_loss(
    encoder: SentenceEncoder, encode: Encode, pairs: Sequence[Pair]
) -> dict[str, float]:
    """Measure what is lost.

    Args:
        encoder: as it was.
        encode: as it became.
        pairs: labelled; none: drawn from the vocabulary, two texts that share half of themselves.

    Returns:
        `cosine_loss`: 1 minus the cosine of a text's two embeddings, on average;
        `largest_cosine_loss`; `spearman_loss`: of the similarities with the labels, before minus
        after, or, without labels, 1 minus the correlation of the two kinds of similarities; with
        labels `spearman`, before.
    """
    texts = [(p.text1, p.text2) for p in pairs] or _drawn_pairs(encoder)
    first, second = zip(*texts, strict=True)
    before = [encoder.encode(side) for side in (first, second)]
    after = [encode(side) for side in (first, second)]
    lost = 1 - pairwise_similarity(np.concatenate(before), np.concatenate(after), "cosine")
    is_empty = ~np.concatenate(before).any(axis=1)
    lost[is_empty] = 0
    kind = encoder.recipe.evaluation.similarity
    old, new = (pairwise_similarity(a, b, kind) for a, b in (before, after))
    found = {"cosine_loss": float(lost.mean()), "largest_cosine_loss": float(lost.max())}
    if not pairs:
        return found | {"spearman_loss": 1 - _spearman(old, new)}
    labels = np.array([pair.grade for pair in pairs])
    spearman = _spearman(old, labels)
    return found | {"spearman_loss": spearman - _spearman(new, labels), "spearman": spearman}


def _drawn_pairs(encoder: SentenceEncoder) -> list[tuple[str, str]]:
    texts = drawn_texts(encoder, DRAWN)
    return [(a + b, c + a) for a, b, c in zip(texts, texts[1:], texts[2:], strict=False)]


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearmanr(a, b).statistic)
