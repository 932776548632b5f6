"""One batch with everything that a batch may have, and a small encoder for it."""

import numpy as np

from siamese.config.recipe import Encoder, Loss, Sampling, Text
from siamese.data.batching import make_batch
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_embed
from siamese.encoder.keras_tf import keras
from siamese.text.vocabulary import Vocabulary, count_characters

# Texts of 1 to 40 characters; groups with no, one or three hard negatives, some of them texts of
# other groups; two groups that share a text; at the end five of a single text.
GROUPS = [
    Group(
        str(g),
        tuple(
            chr(0x4E00 + (g * 7 + t) % 50) * (1 + (g * 11 + t * 5) % 40) for t in range(2 + g % 3)
        ),
        tuple(f"反{g}{n}" for n in range((0, 1, 3)[g % 3])),
    )
    for g in range(24)
]
GROUPS[5] = Group("5", (*GROUPS[5].texts, GROUPS[6].texts[0]), GROUPS[7].texts[:1])
GROUPS += [Group(f"l{n}", (f"独{n}",), (f"反{n}{n}", GROUPS[n].texts[0])) for n in range(5)]
DATA = TrainingData.of_groups(GROUPS)
VOCABULARY = Vocabulary(count_characters(t for g in GROUPS for t in (*g.texts, *g.negatives)))
SAMPLING = Sampling(batch_groups=24)
LOSS = Loss(scale=20, hard_negatives=2, ranking=0.5, ranking_scale=10)


def build(strategy, optimizer=None):
    """The arguments of `build_plain_step` and `build_cached_step`."""
    keras.utils.set_random_seed(1)
    table = np.random.default_rng(2).normal(size=(len(VOCABULARY), 6)).astype(np.float32)
    recipe = Encoder(lstm_units=(7, 5), dropout=0.4, pooling="mean")
    _, model = build_encoder(recipe, table)
    # Plain gradient descent of rate 1: the weights' change is the gradient.
    optimizer = optimizer or keras.optimizers.SGD(1.0)
    optimizer.build(model.trainable_variables)
    embed = build_embed(model, recipe)
    return strategy, embed, model.trainable_variables, optimizer, LOSS


def batch_of(micro_batch_groups: int | None, hard_negatives: int = 2):
    rows = sample_rows(DATA, SAMPLING, hard_negatives, Position(seed=3, epoch=0, step=0))
    return make_batch(rows, VOCABULARY, Text(), hard_negatives, micro_batch_groups)
