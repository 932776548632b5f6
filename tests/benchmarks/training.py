"""A training step's forward and backward pass: packed, beside Keras's layers and PyTorch's LSTM.

    python tests/benchmarks/training.py [--texts FILE] [--batch 1024] [--units 128 32] [--dim 300]
        [--repeat 7] [--json FILE]

FILE is anything `siamese vectors` reads; by default the sample's groups. All get the same batch of
its texts, the same weights and threads, frozen characters, and the gradient of the same sum, and
must find the same gradient. PyTorch is left out, with a word, where it is not installed (the extra
`bench`).
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from arithmetic import encoder_operations
from measured import peak_gflops, seconds, show
from peers import MISSING, lstm_step

from siamese.config.recipe import Encoder
from siamese.data.reading import read_texts
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.bilstm_tf import Embed, build_packed
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.weights import weights_of
from siamese.text.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese" / "df_train.json"
# The largest difference of two gradients, as a share of their largest number, that is rounding.
AGREE = 1e-4
CAPTION = """
Medians of {repeat}, in turns. {batch:,} texts of {mean:.1f} characters on average (64 at most),
BiLSTM of {units} units a direction over {dim} numbers a character, mean over time. peak: share of
this machine's matrix products ({peak:,.0f} GFLOP/s, measured here) that the products which are
needed would take: without padding, those of a character with the input kernel once. ours:
how many times as fast the packed one is. differs by: of the gradient of the first input kernel, as
a share of its largest number.{missing}"""


def tensorflow_step(embed: Embed, model: keras.Model, ids: np.ndarray) -> Callable[[], np.ndarray]:
    """Forward and backward pass by `embed`; returns the gradient of the first input kernel."""
    noise = tf.zeros([len(ids)], tf.uint32)
    variables = model.trainable_variables

    @tf.function
    def run() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(embed(tf.constant(ids), noise))
        return tape.gradient(total, variables)

    return lambda: run()[0].numpy()


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
    plain, model = build_encoder(recipe, table)
    weights = weights_of(plain)
    steps = {
        "packed (this trainer)": tensorflow_step(build_packed(model, recipe), model, ids),
        "Keras's layers, padded": tensorflow_step(lambda i, n: model([i, n]), model, ids),
    }
    if not MISSING:
        steps["torch.nn.LSTM, packed"] = lstm_step(weights, ids)

    gradients = [run() for run in steps.values()]
    largest = np.abs(gradients[0]).max()
    taken = seconds(list(steps.values()), options.repeat)
    characters = int((ids > 0).sum())
    needed = encoder_operations(ids, options.dim, options.units, trained=False)
    rows = [
        {
            "what": name,
            "ms": 1000 * each,
            "characters/s": int(characters / each),
            "peak (%)": 100 * needed / 1e9 / peak_gflops() / each,
            "ours (times)": each / taken[0],
            "differs by": float(np.abs(gradient - gradients[0]).max() / largest),
        }
        for name, gradient, each in zip(steps, gradients, taken, strict=True)
    ]
    caption = CAPTION.format(
        repeat=options.repeat,
        batch=options.batch,
        mean=characters / options.batch,
        units=" and ".join(map(str, options.units)),
        dim=options.dim,
        peak=peak_gflops(),
        missing=MISSING,
    )
    show("Forward and backward pass of the encoder", rows, caption, options.json)
    if any(row["differs by"] > AGREE for row in rows):
        sys.exit("the gradients differ")


if __name__ == "__main__":
    main()
