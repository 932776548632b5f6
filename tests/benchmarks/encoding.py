"""How fast texts become vectors, many at once and one alone, beside the peers.

    python tests/benchmarks/encoding.py [--texts FILE] [--units 128 32] [--dim 300] [--repeat 3]
        [--json FILE]

FILE is anything `siamese encode` reads; by default the sample's groups. The encoder is untrained:
that makes no difference to its speed. Beside it run Keras's own layers on the same batches, and
sentence-transformers' `encode` with its LSTM module and the same weights (the extra `bench`; left
out, with a word, where it is not installed). All must find the same embeddings.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measured import seconds, show
from peers import MISSING, sentence_transformer

from siamese.config.recipe import Encoder, Recipe, Text
from siamese.data.reading import read_texts
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.text.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese" / "df_train.json"
ALONE = 1000
MAX_LENGTH = 64
# The largest difference of two embeddings' numbers that is still rounding.
AGREE = 1e-4
CAPTION = """
{count:,} texts of {mean:.1f} characters on average, {max_length} at most, medians of {repeat} in
turns; ours: how many times as fast SentenceEncoder is; p50 and p99: of {alone:,} texts encoded one
by one. BiLSTM of {units} units a direction over {dim} numbers a character, mean over time.{missing}
"""

Encode = Callable[[list[str]], np.ndarray]


def untrained(texts: list[str], units: list[int], dim: int) -> SentenceEncoder:
    """An encoder of these sizes."""
    vocabulary = Vocabulary(count_characters(texts), lowercase=False)
    table = np.random.default_rng(1).normal(size=(len(vocabulary), dim)).astype(np.float32) / 10
    recipe = Recipe(
        text=Text(max_length=MAX_LENGTH),
        encoder=Encoder(embedding_dim=dim, lstm_units=tuple(units)),
    )
    keras.utils.set_random_seed(1)
    return SentenceEncoder.of_model(build_encoder(recipe.encoder, table)[0], vocabulary, recipe)


def through_layers(encoder: SentenceEncoder) -> SentenceEncoder:
    """The same encoder, computed by Keras's layers."""
    other = SentenceEncoder(encoder.weights, encoder.vocabulary, encoder.recipe)
    ids = tf.TensorSpec([None, None], tf.int32)
    function = tf.function(lambda ids: encoder.model(ids), input_signature=[ids])
    other._inference = lambda ids: function(ids).numpy()  # type: ignore[assignment]
    return other


def measure(encoders: dict[str, Encode], texts: list[str], repeat: int) -> list[dict[str, Any]]:
    """A row of the table for each; the first one is ours."""
    ours = next(iter(encoders.values()))(texts)
    differences = [float(np.abs(encode(texts) - ours).max()) for encode in encoders.values()]
    taken = seconds([partial(encode, texts) for encode in encoders.values()], repeat)
    alone = []
    for encode in encoders.values():
        times = []
        for text in texts[:ALONE]:
            start = time.perf_counter()
            encode([text])
            times.append(1000 * (time.perf_counter() - start))
        alone.append(times)
    return [
        {
            "what": name,
            "texts/s": int(len(texts) / each),
            "ours (times)": each / taken[0],
            "p50 (ms)": float(np.percentile(single, 50)),
            "p99 (ms)": float(np.percentile(single, 99)),
            "differs by": difference,
        }
        for name, each, single, difference in zip(encoders, taken, alone, differences, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--units", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    texts = [text for text in read_texts([str(options.texts)]) if text]
    encoder = untrained(texts, options.units, options.dim)
    encoders: dict[str, Encode] = {
        "SentenceEncoder.encode": encoder.encode,
        "Keras's layers, the same batches": through_layers(encoder).encode,
    }
    if not MISSING:
        peer = sentence_transformer(encoder.weights, encoder.vocabulary, MAX_LENGTH)
        for batch_size in (32, 512):
            encoders[f"sentence-transformers, batches of {batch_size}"] = (
                lambda texts, n=batch_size: peer.encode(texts, batch_size=n)
            )
    rows = measure(encoders, texts, options.repeat)
    caption = CAPTION.format(
        count=len(texts),
        mean=np.mean([min(len(text), MAX_LENGTH) for text in texts]),
        max_length=MAX_LENGTH,
        repeat=options.repeat,
        alone=ALONE,
        units=" and ".join(map(str, options.units)),
        dim=options.dim,
        missing=MISSING,
    )
    show("Encoding", rows, caption, options.json)
    if any(row["differs by"] > AGREE for row in rows):
        sys.exit("the embeddings differ")


if __name__ == "__main__":
    main()
