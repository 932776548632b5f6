"""The notebook's own training beside this trainer's, and what training waits for batches.

    python tests/benchmarks/notebook.py [--texts GROUPS] [--batch-groups 512] [--json FILE]

GROUPS is the notebook's df_train.json; by default the sample's. The notebook's code, restated for
Keras 3 line for line, trains 8 rows a step, padded to 128. The trainer trains the same encoder on
batches of the given size, and its recipe `default`, by the command `siamese train`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measured import show

from distributed.sharding.shard import shard
from siamese.encoder.keras_tf import keras, tf
from siamese.text.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese"
MAX_LENGTH, DIM, ROWS = 128, 300, 8
STEPS = 100
EPOCHS = 4
# The notebook's encoder, as a recipe.
ITS_ENCODER = (
    "text.max_length=128",
    "encoder.vectors=train",
    "encoder.embedding_dim=300",
    "encoder.train_embeddings=false",
    "encoder.lstm_units=[128, 32]",
    "encoder.dropout=0.5",
    "encoder.pooling=last",
    "loss.hard_negatives=0",
    "loss.ranking=0",
)
CAPTION = """
texts/s: the two of each group in a batch, counted once; of {steps} steps of `Model.fit` after the
first ones, and of the median epoch of {epochs} but for the first. input: time that training waits
for its next batch, which another thread reads, samples and encodes. The notebook's generator runs
in `fit`'s own thread."""


@keras.saving.register_keras_serializable(package="notebook")
class Loss(keras.layers.Layer):
    """The notebook's layer: in-batch contrastive loss of neighbouring rows, scale 30."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Add the loss."""
        rows = keras.ops.arange(ROWS)
        labels = keras.ops.equal(rows[None, :], (rows + 1 - rows % 2 * 2)[:, None])
        y = keras.ops.normalize(inputs, axis=1)
        similarities = keras.ops.matmul(y, keras.ops.transpose(y))
        similarities = 30 * (similarities - 1e12 * keras.ops.eye(ROWS))
        losses = keras.ops.categorical_crossentropy(
            keras.ops.cast(labels, "float32"), similarities, from_logits=True
        )
        self.add_loss(keras.ops.mean(losses))
        return inputs


def notebook_model(characters: int) -> keras.Model:
    """The notebook's model; its vectors are not public, and random ones take as long."""
    inputs = keras.Input((MAX_LENGTH,))
    table = np.random.default_rng(1).normal(size=(characters, DIM)).astype(np.float32)
    embedding = keras.layers.Embedding(
        characters,
        DIM,
        embeddings_initializer=keras.initializers.Constant(table),
        trainable=False,
        mask_zero=True,
    )
    lstm = keras.layers.LSTM(128, return_sequences=True)
    hidden = keras.layers.Bidirectional(lstm)(embedding(inputs))
    hidden = keras.layers.Dropout(0.5)(hidden)
    hidden = keras.layers.Bidirectional(keras.layers.LSTM(32))(hidden)
    hidden = keras.layers.Dropout(0.5)(hidden)
    model = keras.Model(inputs, Loss()(hidden))
    model.compile(optimizer="adam")
    return model


def notebook_batches(groups: list[list[str]], ids: dict[str, int]) -> Iterator[tuple[np.ndarray]]:
    """The notebook's generator: two texts of each group, joined in both orders."""
    start = 0
    while True:
        random.shuffle(groups)
        if start + ROWS // 2 >= len(groups):
            start = 0
        rows = []
        for group in groups[start : start + ROWS // 2]:
            text1, text2 = random.choices(group, k=2)
            rows += [text1 + text2, text2 + text1]
        start += ROWS // 2
        sequences = [[ids[character] for character in row] for row in rows]
        yield (
            keras.utils.pad_sequences(
                sequences, maxlen=MAX_LENGTH, value=0, truncating="post", padding="post"
            ),
        )


def notebook(groups: list[list[str]]) -> dict[str, Any]:
    """Train as the notebook does; a row of the table."""
    vocabulary = Vocabulary(count_characters(text for group in groups for text in group))
    ids = {character: n for n, character in enumerate(vocabulary.characters, start=1)}
    batches = notebook_batches([group for group in groups if len(group) > 1], ids)
    model = notebook_model(len(ids) + 1)
    model.fit(batches, steps_per_epoch=10, epochs=1, verbose=0, shuffle=False)
    start = time.perf_counter()
    model.fit(batches, steps_per_epoch=STEPS, epochs=1, verbose=0, shuffle=False)
    step = (time.perf_counter() - start) / STEPS
    return {
        "what": "the notebook's code, 8 rows a step",
        "texts/s": int(ROWS / step),
        "ms a step": 1000 * step,
        "input (%)": None,
    }


def trainer(name: str, data: Path, folder: Path, settings: tuple[str, ...]) -> dict[str, Any]:
    """Train by the command; a row of the table."""
    command = [sys.executable, "-m", "distributed", "train", "--data", str(data)]
    command += ["--dev", str(SAMPLE / "df_dev.txt"), "--run", str(folder), "--recipe", "default"]
    for setting in (*settings, f"training.epochs={EPOCHS}", "training.patience=null"):
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        sys.exit(f"{name}: {done.stderr}")
    events = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    epochs = [event for event in events if event["event"] == "evaluation"]
    rate = median(epoch["groups_per_second"] for epoch in epochs[1:])
    steps = epochs[0]["step"]
    seconds = median(epoch["train_seconds"] for epoch in epochs[1:])
    waited = median(epoch["input_seconds"] / epoch["train_seconds"] for epoch in epochs[1:])
    return {
        "what": name,
        "texts/s": int(2 * rate),
        "ms a step": 1000 * seconds / steps,
        "input (%)": 100 * waited,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=SAMPLE / "df_train.json")
    parser.add_argument("--batch-groups", type=int, default=512)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    groups = list(json.loads(options.texts.read_text(encoding="utf-8")).values())
    rows = [notebook(groups)]
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        shard([str(options.texts)], data)
        batches = f"sampling.batch_groups={options.batch_groups}"
        for number, (name, settings) in enumerate(
            (
                (f"its encoder here, {options.batch_groups} groups", (*ITS_ENCODER, batches)),
                ("the recipe default, 64 groups", ()),
                (f"the recipe default, {options.batch_groups} groups", (batches,)),
            )
        ):
            rows.append(trainer(name, data, Path(scratch) / f"run{number}", settings))
    for row in rows:
        row["times the notebook's"] = row["texts/s"] / rows[0]["texts/s"]
    show("Training", rows, CAPTION.format(steps=STEPS, epochs=EPOCHS), options.json)


if __name__ == "__main__":
    main()
