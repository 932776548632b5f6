"""What MTEB 2 wants to know of a model that it judges."""

from typing import Any

from siamese.config.recipe import Recipe
from siamese.encoder.weights import Weights


def model_meta(fingerprint: str, weights: Weights, recipe: Recipe) -> Any:
    """Describe an encoder as an `mteb.ModelMeta`.

    MTEB keeps results by name and revision: the name here is the encoder's own, so that it is
    never given the results of another.

    Args:
        fingerprint: of the encoder.
        weights: of the encoder.
        recipe: that it was trained with.
    """
    from mteb.models.model_meta import ModelMeta, ScoringFunction

    is_cosine = recipe.evaluation.similarity == "cosine"
    return ModelMeta.create_empty(
        {
            "name": f"siamese-ray/{fingerprint[:12]}",
            "revision": fingerprint,
            "n_parameters": weights.parameters,
            "n_embedding_parameters": int(weights.characters.size),
            "memory_usage_mb": weights.parameters * 4 / 2**20,
            "max_tokens": recipe.text.max_length,
            "embed_dim": weights.embedding_dim,
            "framework": ["NumPy"],
            "similarity_fn_name": ScoringFunction.COSINE if is_cosine else None,
            "use_instructions": False,
        }
    )
