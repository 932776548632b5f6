"""The README.md of a model folder."""

from collections.abc import Mapping
from typing import Any

from siamese.config.metrics import METRICS
from siamese.config.recipe import Recipe
from siamese.encoder.weights import Weights
from siamese.text.vocabulary import Vocabulary


def model_card(
    weights: Weights, vocabulary: Vocabulary, recipe: Recipe, metrics: Mapping[str, Any]
) -> str:
    """Write Markdown for people: what the model is, how it was judged, how to use it.

    Args:
        weights: of the encoder.
        vocabulary: its characters.
        recipe: the settings that it was trained with.
        metrics: what was measured on the development pairs, with the threshold; and, if the model
            went on from another, its name and checksum.
    """
    origin = ""
    if "init" in metrics:
        origin = f"""
Training went on from the model `{metrics["init"]}` (SHA-256 of its manifest
`{metrics["init_sha256"]}`).
"""
    known = [metric for metric in METRICS.values() if metric.key in metrics]
    rows = "".join(f"| {metric.label} | {metrics[metric.key]:.4f} |\n" for metric in known)
    judged = ""
    if "pairs" in metrics:
        judged = f"""
## Judged on {metrics["pairs"]:,} development pairs ({metrics["positives"]:,} positive)

| metric | value |
| --- | --- |
{rows}
These pairs chose the epoch{" and the threshold" if recipe.evaluation.threshold == "fit" else ""}:
judge the model on pairs of your own before you rely on it.
"""
    units = " + ".join(f"BiLSTM({units})" for units in recipe.encoder.lstm_units)
    return f"""# Siamese sentence encoder

A character {units} with {recipe.encoder.pooling} pooling, trained with in-batch contrastive loss on
groups of paraphrases. One text in, a vector of {weights.embedding_dim} numbers out; two texts are
taken to mean the same when their similarity ({recipe.evaluation.similarity}) is above
{metrics["threshold"]:.4f}. {weights.parameters:,} parameters,
{len(vocabulary):,} characters, texts up to {recipe.text.max_length} characters.
{origin}{judged}
## Use

```python
from siamese import SentenceEncoder

encoder = SentenceEncoder.load("path/of/this/folder")
embeddings = encoder.encode(["怎么修改密码", "如何更改密码"])
encoder.is_similar("怎么修改密码", "如何更改密码")
```

`recipe.yaml` holds every setting of the training run, `metrics.json` every figure.
"""
