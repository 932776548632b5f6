"""How cost grows: a training step, sharding and evaluation, each against what makes it longer.

    python tests/benchmarks/growth.py [--most-texts 10000000] [--picture FILE] [--json FILE]

A training step is all of it, of the recipe `default` on made-up texts: forward and backward pass,
loss, optimizer. Sharding is of made-up texts too, in a process of its own, after its start-up.
Evaluation is of pairs of different texts: encoding, similarities, threshold and metrics.
"""

import argparse
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measured import seconds, show
from sharding import make_input, shard

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.data.batching import Batch
from siamese.data.pair import Pair
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import build_embed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of, pair_scores
from siamese.report.drawing import FAINT, INK, POSITIVE, chinese_style, png_of
from siamese.text.vocabulary import FIRST_ID, Vocabulary
from siamese.training.loss import build_loss
from siamese.training.optimizer import build_optimizer
from siamese.training.step import build_train_step

# A step's size where it is not what is varied.
GROUPS, LENGTH, CHARACTERS, UNITS = 256, 16, 4000, 192
REPEAT = 5
CAPTION = """
Medians of {repeat} in turns (sharding: one run). order: the power of the size by which the time
grew from the line before, and as expected in the end. A step of the recipe default on {groups}
groups of two texts of {length} characters, of {characters:,} different ones, BiLSTM of {units}
units, but for what is varied."""


class Study(NamedTuple):
    """What is varied, and how its cost is taken.

    Attributes:
        title: of the plot.
        axis: what is varied.
        sizes: its values, rising.
        expected: the power of the size that the time should grow with in the end.
        times: the seconds of each of the sizes.
    """

    title: str
    axis: str
    sizes: list[int]
    expected: float
    times: Callable[[list[int]], list[float]]


class Built(NamedTuple):
    """A training step, ready to be taken, and what it trains."""

    take: Callable[[], Any]
    model: keras.Model
    optimizer: keras.optimizers.Optimizer


def build(
    groups: int = GROUPS,
    length: int = LENGTH,
    characters: int = CHARACTERS,
    units: int = UNITS,
    strategy: tf.distribute.Strategy | None = None,
) -> Built:
    """Build a training step of so many groups (of each worker, with a strategy of several)."""
    strategy = strategy or tf.distribute.get_strategy()
    recipe = load_recipe("default", [f"encoder.lstm_units=[{units}]"])
    rng = np.random.default_rng(1)
    table = rng.normal(size=(characters, recipe.encoder.embedding_dim)).astype(np.float32)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        _, model = build_encoder(recipe.encoder, table)
        optimizer = build_optimizer(recipe.optimizer, 1000)
        optimizer.build(model.trainable_variables)
    take = build_train_step(
        strategy,
        build_embed(model, recipe.encoder),
        model.trainable_variables,
        optimizer,
        build_loss(recipe.loss),
    )
    texts = 2 * groups
    keys = np.arange(texts)
    batch = Batch(
        micro_batches=(rng.integers(FIRST_ID, characters, (texts, length)).astype(np.int32),),
        noise=(rng.integers(2**32, size=texts, dtype=np.uint32),),
        positions=np.arange(texts, dtype=np.int32),
        column_keys=keys,
        own_groups=np.repeat(np.arange(groups, dtype=np.int32), 2),
        own_keys=keys.reshape(2, groups).T.ravel(),
        pairs=np.full((1, 2), -1, np.int32),
        grades=np.zeros(1, np.float32),
        teacher=np.zeros((texts, 0), np.float32),
    )
    return Built(lambda: take(batch), model, optimizer)


def step(**sizes: int) -> Callable[[], Any]:
    """A training step of these sizes, ready to be taken."""
    return build(**sizes).take


def steps_by(name: str) -> Callable[[list[int]], list[float]]:
    """The times of steps with one of `step`'s arguments varied."""
    return lambda sizes: seconds([step(**{name: size}) for size in sizes], REPEAT)


def sharding_times(sizes: list[int]) -> list[float]:
    """Seconds that sharding so many texts takes after start-up."""
    taken = []
    for texts in sizes:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            lines = scratch / "lines.txt"
            lines.write_text("\n".join(random_texts(10_000)), encoding="utf-8")
            make_input(lines, texts, scratch / "in.jsonl")
            taken.append(shard(scratch / "in.jsonl", scratch / "data").seconds)
    return taken


def evaluation_times(sizes: list[int]) -> list[float]:
    """Seconds that judging so many pairs takes."""
    recipe: Recipe = load_recipe("default")
    vocabulary = Vocabulary({chr(0x4E00 + n): 1 for n in range(CHARACTERS)})
    table = np.random.default_rng(1).normal(size=(len(vocabulary), recipe.encoder.embedding_dim))
    model, _ = build_encoder(recipe.encoder, table.astype(np.float32))
    encoder = SentenceEncoder.of_model(model, vocabulary, recipe)

    def judge(pairs: list[Pair]) -> None:
        scores = pair_scores(pairs, encoder.encode, "cosine")
        evaluate_scores(scores, labels_of(pairs), "fit")

    runs = []
    for size in sizes:
        texts = random_texts(2 * size)
        pairs = [Pair(*texts[2 * n : 2 * n + 2], n % 2) for n in range(size)]
        runs.append(lambda pairs=pairs: judge(pairs))
    return seconds(runs, 2)


def random_texts(count: int) -> list[str]:
    """Different texts of 16 characters."""
    points = np.random.default_rng(2).integers(0x4E00, 0x4E00 + CHARACTERS, (count, LENGTH))
    return ["".join(map(chr, row)) for row in points.tolist()]


def studies(most_texts: int) -> list[Study]:
    """All that is measured."""
    sharded = [10**power for power in range(5, int(math.log10(most_texts)) + 1)]
    return [
        Study("Training step", "groups", [16, 64, 256, 1024, 2048], 1, steps_by("groups")),
        Study("Training step", "characters in a text", [8, 16, 32, 64], 1, steps_by("length")),
        Study(
            "Training step",
            "characters in the vocabulary",
            [1000, 4000, 16000, 64000],
            1,
            steps_by("characters"),
        ),
        Study("Training step", "LSTM units", [48, 96, 192, 384, 768], 2, steps_by("units")),
        Study("Sharding", "texts", sharded, 1, sharding_times),
        Study("Evaluation", "pairs", [100, 1000, 10_000, 100_000], 1, evaluation_times),
    ]


def plot(measured: list[tuple[Study, list[float]]]) -> bytes:
    """All studies, time against size, beside lines of the expected order."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    def plain(value: float, _: int) -> str:
        return f"{value:,.0f}" if value >= 1 else f"{value:g}"

    with chinese_style():
        figure = Figure(figsize=(11, 6.6), layout="constrained")
        for axes, (study, times) in zip(figure.subplots(2, 3).flat, measured, strict=True):
            expected = [
                times[-1] * (size / study.sizes[-1]) ** study.expected for size in study.sizes
            ]
            axes.loglog(study.sizes, expected, "--", color=FAINT, label=f"order {study.expected}")
            axes.loglog(study.sizes, times, "o-", color=POSITIVE, label="measured")
            axes.set_title(f"{study.title}, seconds", color=INK)
            axes.set_xlabel(study.axis)
            axes.set_xticks(study.sizes)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(plain)
            axes.legend()
        return png_of(figure)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--most-texts", type=int, default=10_000_000, help="to shard")
    parser.add_argument("--picture", type=Path, help="draw the figures into this file, a PNG")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tf.config.experimental.enable_op_determinism()  # as training does
    tf.get_logger().setLevel("ERROR")  # which would tell that each size is traced
    measured = [(study, study.times(study.sizes)) for study in studies(options.most_texts)]
    rows = []
    for study, times in measured:
        before = None
        for size, taken in zip(study.sizes, times, strict=True):
            order = None
            if before:
                order = math.log(taken / before[1]) / math.log(size / before[0])
            rows.append(
                {
                    "what": study.title,
                    "against": study.axis,
                    "size": size,
                    "seconds": taken,
                    "order": order,
                    "expected": study.expected,
                }
            )
            before = size, taken
    caption = CAPTION.format(
        repeat=REPEAT, groups=GROUPS, length=LENGTH, characters=CHARACTERS, units=UNITS
    )
    show("How cost grows", rows, caption, options.json)
    if options.picture:
        options.picture.write_bytes(plot(measured))


if __name__ == "__main__":
    main()
