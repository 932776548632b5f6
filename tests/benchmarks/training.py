"""A training step's forward and backward pass: packed, beside Keras's layers and PyTorch's LSTM.

    python tests/benchmarks/training.py [--texts FILE] [--batch 1024] [--units 128 32] [--dim 300]
        [--repeat 7] [--json FILE]

FILE is anything `siamese vectors` reads; by default the sample's groups. All get the same batch of
its texts, the same sizes and threads, frozen characters, and the gradient of the same sum. PyTorch
is left out, with a word, where it is not installed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measured import show

from siamese.backend import keras, tf
from siamese.encoder import build_encoder
from siamese.groups import read_texts
from siamese.packed import build_packed
from siamese.recipe import Encoder
from siamese.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese" / "df_train.json"
CAPTION = """
Medians of {repeat}, in turns. {batch:,} texts of {mean:.1f} characters on average (64 at most),
BiLSTM of {units} units a direction over {dim} numbers a character. peak: share of this machine's
matrix products ({peak:,.0f} GFLOP/s, measured here) that the arithmetic of the characters would
take, without padding and with every product with the input kernel counted.{missing}"""


def peak_gflops() -> float:
    """What a large matrix product reaches, in 1e9 operations a second."""
    matrix = tf.random.normal([2048, 2048])
    product = tf.function(lambda: tf.matmul(matrix, matrix))
    return 2 * 2048**3 / seconds([product], 9)[0] / 1e9


def seconds(runs: list[Callable[[], Any]], repeat: int) -> list[float]:
    """The median time of each, taken in turns after one run that does not count."""
    taken: list[list[float]] = [[] for _ in runs]
    for turn in range(repeat + 1):
        for run, times in zip(runs, taken, strict=True):
            start = time.perf_counter()
            run()
            if turn:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def keras_run(embed: Callable, variables: list, ids: np.ndarray) -> Callable[[], Any]:
    """Forward and backward, by `embed`."""
    noise = tf.zeros([len(ids)], tf.uint32)

    @tf.function
    def run() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(embed(tf.constant(ids), noise))
        return tape.gradient(total, variables)

    return lambda: [gradient.numpy() for gradient in run()]


def torch_run(ids: np.ndarray, table: np.ndarray, units: list[int]) -> Callable[[], Any]:
    """The same by PyTorch's LSTM over packed sequences."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    torch.set_num_threads(tf.config.threading.get_intra_op_parallelism_threads() or 2)
    characters = torch.nn.Embedding.from_pretrained(torch.tensor(table))
    sizes = [table.shape[1], *(2 * n for n in units)]
    layers = torch.nn.ModuleList(
        torch.nn.LSTM(size, n, batch_first=True, bidirectional=True)
        for size, n in zip(sizes, units, strict=False)
    )
    rows = torch.tensor(ids, dtype=torch.long)
    lengths = (rows != 0).sum(dim=1)

    def run() -> None:
        layers.zero_grad()
        hidden = pack_padded_sequence(
            characters(rows), lengths, batch_first=True, enforce_sorted=False
        )
        for layer in layers:
            hidden, _ = layer(hidden)
        outputs, _ = pad_packed_sequence(hidden, batch_first=True)
        (outputs.sum(dim=1) / lengths[:, None]).sum().backward()

    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--units", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    texts = list(read_texts([str(options.texts)]))
    rng = np.random.default_rng(1)
    texts = [texts[i] for i in rng.integers(len(texts), size=options.batch)]
    vocabulary = Vocabulary(count_characters(texts))
    ids = vocabulary.encode(texts, 64)
    table = rng.normal(size=(len(vocabulary), options.dim)).astype(np.float32) / 10
    recipe = Encoder(
        embedding_dim=options.dim, lstm_units=options.units, dropout=0, train_embeddings=False
    )
    keras.utils.set_random_seed(1)
    _, model = build_encoder(recipe, table)
    variables = model.trainable_variables
    runs = {
        "packed (this trainer)": keras_run(build_packed(model, recipe), variables, ids),
        "the same layers of Keras": keras_run(lambda i, n: model([i, n]), variables, ids),
    }
    missing = ""
    try:
        runs["torch.nn.LSTM, packed"] = torch_run(ids, table, options.units)
    except ImportError:
        missing = " PyTorch is not installed, and so left out."

    characters = int((ids > 0).sum())
    sizes = [options.dim, *(2 * n for n in options.units)]
    products = sum(2 * 4 * n * (size + n) for size, n in zip(sizes, options.units, strict=False))
    # Two operations a product; the backward pass takes twice the forward pass's.
    peak = peak_gflops()
    least = 3 * 2 * products * characters / peak / 1e9
    rows = [
        {
            "what": name,
            "ms": 1000 * taken,
            "characters/s": int(characters / taken),
            "peak (%)": 100 * least / taken,
        }
        for name, taken in zip(runs, seconds(list(runs.values()), options.repeat), strict=True)
    ]
    for row in rows:
        row["times Keras"] = row["characters/s"] / rows[1]["characters/s"]
    show(
        "Forward and backward pass of the encoder",
        rows,
        CAPTION.format(
            repeat=options.repeat,
            batch=options.batch,
            mean=characters / options.batch,
            units=" and ".join(map(str, options.units)),
            dim=options.dim,
            peak=peak,
            missing=missing,
        ),
        options.json,
    )


if __name__ == "__main__":
    main()
