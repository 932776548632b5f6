"""Every setting of a recipe with another valid value, and what is said when one is refused."""

import pytest
import yaml

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.errors import UserError

# Another valid value for every setting, to see that each one counts.
OTHER = {
    "seed": 2,
    "text.max_length": 65,
    "text.normalize": "nfkc",
    "text.unknown_rate": 0.1,
    "text.padding": "max_length",
    "text.lowercase": False,
    "text.min_count": 2,
    "text.include_dev": True,
    "encoder.vectors": "v.txt",
    "encoder.embedding_dim": 301,
    "encoder.train_embeddings": False,
    "encoder.lstm_units": [128, 128],
    "encoder.dropout": 0.41,
    "encoder.pooling": "max",
    "encoder.attention_heads": 4,
    "encoder.embedding_range": 0.2,
    "loss.name": "cosent",
    "loss.scale": 20.5,
    "loss.hard_negatives": 2,
    "loss.ranking": 0.7,
    "loss.ranking_scale": 21,
    "loss.ranking_groups": 16,
    "loss.distillation": 3.0,
    "loss.options": {"margin": 0.3},
    "sampling.batch_groups": 129,
    "sampling.micro_batch_groups": 16,
    "sampling.method": "notebook",
    "sampling.unlabelled": 64,
    "optimizer.learning_rate": 0.0021,
    "optimizer.beta_2": 0.99,
    "optimizer.warmup_steps": 1,
    "optimizer.warmup_share": 0.1,
    "optimizer.scale_with_batch": 32,
    "optimizer.decay": "constant",
    "optimizer.clip_norm": 2,
    "training.epochs": 99,
    "training.patience": None,
    "training.teacher_epochs": 2,
    "evaluation.similarity": "notebook",
    "evaluation.metric": "f1",
    "evaluation.threshold": 0.8,
}


def changing(key: str) -> list[str]:
    """Overrides that set another value, and what that value needs besides."""
    needed = {
        "loss.name": ["loss.ranking=0"],
        "sampling.method": ["loss.hard_negatives=0", "loss.ranking=0"],
        "encoder.train_embeddings": ["encoder.vectors=train"],
        "sampling.unlabelled": ["training.teacher_epochs=1"],
    }
    return [*needed.get(key, []), f"{key}={yaml.safe_dump(OTHER[key], width=99)}"]


def value_of(recipe: Recipe, key: str) -> object:
    value: object = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def refusal(*arguments: object) -> str:
    with pytest.raises(UserError) as error:
        load_recipe(*arguments)
    return str(error.value)
