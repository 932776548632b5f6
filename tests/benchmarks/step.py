"""Which share of the machine's matrix peak a whole training step reaches, and where its time goes.

    python tests/benchmarks/step.py PAIRS [--recipe default] [--set KEY=VALUE …] [--batches 20]
        [--repeat 5] [--json FILE]

PAIRS is what `siamese shard` reads; the batches are those that the recipe draws first from it. A
turn takes the steps of all batches, their parts alone, and large matrix products, one by one.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from arithmetic import comparing_operations, encoder_operations
from measured import REST, show

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.data.batching import Batch
from siamese.data.sharding import make_data_set
from siamese.data.shards import read_shards
from siamese.encoder.bilstm_tf import build_packed
from siamese.encoder.keras_tf import tf
from siamese.training.batches import Batches
from siamese.training.preparation import prepare
from siamese.training.state import build_state

PRODUCT = 2048
CAPTION = """
Medians of {repeat} turns of {batches} batches of the recipe {recipe}: on average {rows:.0f} texts
of {length:.1f} characters, {distinct:.0f} different ones. GFLOP: the matrix products that a batch
needs. peak: share of what large float32 products reach in the same turns with as many threads (the
better of NumPy's and TensorFlow's), by the clock and by CPU seconds, which say more while the
machine has other work."""


def draw(pairs: str, recipe: Recipe, count: int) -> tuple[list[Batch], Any]:
    """The first batches of a run, and its state."""
    with tempfile.TemporaryDirectory() as folder:
        make_data_set([pairs], Path(folder) / "data")
        data, _ = read_shards(Path(folder) / "data")
        prepared = prepare(recipe, data, [])
        batches = Batches(recipe, data, prepared.vocabulary, 0, 1)
        drawn = [batches.make(0, step) for step in range(count)]
    return drawn, build_state(tf.distribute.get_strategy(), recipe, prepared, None, 10_000)


def operations(recipe: Recipe, batch: Batch) -> tuple[int, int]:
    """Of a batch: of the encoder, and of the loss."""
    encoder = recipe.encoder
    heads = encoder.attention_heads if encoder.pooling == "attention" else 0
    [ids] = batch.micro_batches
    of_encoder = encoder_operations(
        ids, encoder.embedding_dim, encoder.lstm_units, encoder.train_embeddings, heads
    )
    columns, size = len(batch.column_keys), 2 * encoder.lstm_units[-1]
    return of_encoder, comparing_operations(recipe.sampling.batch_groups, columns, size)


def parts(recipe: Recipe, batches: list[Batch], state: Any) -> dict[str, Callable[[], Any]]:
    """What is timed, each of it for all batches."""
    model = state.model
    embed = build_packed(model, recipe.encoder.model_copy(update={"dropout": 0.0}))

    @tf.function(autograph=False, reduce_retracing=True)
    def forward(ids: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        return embed(ids, noise)

    @tf.function(autograph=False, reduce_retracing=True)
    def both(ids: tf.Tensor, noise: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(embed(ids, noise))
        gradients = tape.gradient(total, model.trainable_variables)
        return [tf.convert_to_tensor(each) for each in gradients]

    def of_all(take: Callable[..., Any]) -> Callable[[], Any]:
        return lambda: [take(*each) for each in inputs][-1]

    inputs = [
        (tf.constant(batch.micro_batches[0]), tf.constant(batch.noise[0])) for batch in batches
    ]
    matrix = np.random.default_rng(1).normal(size=(PRODUCT, PRODUCT)).astype(np.float32)
    tensor = tf.constant(matrix)
    return {
        "whole step": lambda: [float(state.train_step(batch)) for batch in batches],
        "encoder, forward and backward": of_all(both),
        "encoder, forward": of_all(forward),
        "NumPy's product": lambda: [matrix @ matrix for _ in range(4)],
        "TensorFlow's product": lambda: [tf.matmul(tensor, tensor).numpy() for _ in range(4)],
    }


def in_turns(runs: dict[str, Callable[[], Any]], repeat: int) -> dict[str, tuple[float, float]]:
    """The median seconds and CPU seconds of each, after a turn that does not count."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for turn in range(repeat + 1):
        for name, run in runs.items():
            time.sleep(REST)
            start, cpu = time.perf_counter(), time.process_time()
            run()
            once = time.perf_counter() - start, time.process_time() - cpu
            if turn:
                taken[name].append(once)
                print(f"turn {turn}, {name}: {once[0]:.3f} s, CPU {once[1]:.3f} s", flush=True)
    return {
        name: (median(wall for wall, _ in times), median(cpu for _, cpu in times))
        for name, times in taken.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", nargs="+", default=[])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    recipe = load_recipe(options.recipe, options.set)
    batches, state = draw(options.pairs, recipe, options.batches)
    taken = in_turns(parts(recipe, batches, state), options.repeat)
    of_encoder, of_loss = np.sum([operations(recipe, batch) for batch in batches], axis=0)
    needed = {
        "whole step": of_encoder + of_loss,
        "encoder, forward and backward": of_encoder,
        "encoder, forward": None,
        "NumPy's product": 4 * 2 * PRODUCT**3,
        "TensorFlow's product": 4 * 2 * PRODUCT**3,
    }
    products = list(needed)[-2:]
    best = [max(needed[name] / taken[name][kind] for name in products) for kind in range(2)]
    rows = [
        {
            "what": name,
            "ms": 1000 * wall / (4 if name in products else len(batches)),
            "CPU ms": 1000 * cpu / (4 if name in products else len(batches)),
            "GFLOP": work and work / 1e9 / (4 if name in products else len(batches)),
            "GFLOP/s": work and work / 1e9 / wall,
            "peak (%)": work and 100 * work / wall / best[0],
            "peak, by CPU (%)": work and 100 * work / cpu / best[1],
        }
        for (name, work), (wall, cpu) in zip(needed.items(), taken.values(), strict=True)
    ]
    ids = [batch.micro_batches[0] for batch in batches]
    caption = CAPTION.format(
        repeat=options.repeat,
        batches=len(batches),
        recipe=" ".join([options.recipe, *options.set]),
        rows=np.mean([len(each) for each in ids]),
        length=sum((each > 0).sum() for each in ids) / sum(len(each) for each in ids),
        distinct=np.mean([len(np.unique(each[each > 0])) for each in ids]),
    )
    show("Training step", rows, caption, options.json)


if __name__ == "__main__":
    main()
