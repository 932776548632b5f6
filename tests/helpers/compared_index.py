"""What an index must find: what comparing with every text finds."""

import math
from functools import cache

from small_encoder import small_encoder
from small_index import some_texts

from siamese import Entry

KINDS = ["cosine", "notebook"]
TEXTS = some_texts(60)
EVERYTHING = -math.inf


@cache
def encoder(kind="cosine"):
    return small_encoder(f"evaluation.similarity={kind}")


def by_comparing(query, entries, k, threshold, kind="cosine"):
    """The same, restated: every entry compared by itself, sorted."""
    scores = encoder(kind).similarity([query], [entry.text for entry in entries])[0].tolist()
    best = sorted(zip(scores, entries, strict=True), key=lambda pair: -pair[0])[:k]  # stable
    return [
        (entry.id, entry.text, score, entry.fields) for score, entry in best if score > threshold
    ]


def numbered(texts, first=1) -> list[Entry]:
    return [Entry(str(n), text, {}) for n, text in enumerate(texts, start=first)]
