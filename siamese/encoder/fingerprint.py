"""Name an encoder by what it computes."""

import hashlib
import json

import numpy as np

from siamese.config.recipe import Recipe
from siamese.encoder.weights import Weights
from siamese.text.vocabulary import Vocabulary


def fingerprint_of(weights: Weights, vocabulary: Vocabulary, recipe: Recipe) -> str:
    """Compute a SHA-256, in hex, of all that decides embeddings and similarities."""
    settings = (
        recipe.text.max_length,
        vocabulary.normalize,
        vocabulary.lowercase,
        recipe.encoder.pooling,
        recipe.evaluation.similarity,
        "".join(vocabulary.characters),
    )
    of = hashlib.sha256(json.dumps(settings).encode())
    for array in weights.flat():
        of.update(np.ascontiguousarray(array).data)
    return of.hexdigest()
