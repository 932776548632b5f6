"""How fast texts become vectors, many at once and one alone, beside the peers.

    python tests/benchmarks/encoding.py [--texts FILE] [--sizes notebook default] [--repeat 3]
        [--threads N] [--arithmetic numpy] [--json FILE]

FILE is anything `siamese encode` reads; by default the sample's groups. The encoder is untrained:
that makes no difference to its speed. Beside it run Keras's own layers on the same batches;
sentence-transformers' `encode` with its LSTM module and the same weights (the extra `bench`); and
ONNX Runtime with the graph that `siamese export` writes (the extra `onnx`), the texts sorted by
length. What is not installed is left out, with a word. All must find the same embeddings.

sentence-transformers is measured where attention pools too (`default`), with the mean: its own
modules have no attention, which takes little time.
"""

# First of all: torch that is imported after TensorFlow ends the process.
from peers import MISSING, onnx_session, sentence_transformer, use_threads  # isort: skip

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measured import seconds, show

from siamese.config.recipe import Encoder, Recipe, Text
from siamese.data.reading import read_texts
from siamese.encoder.bilstm_cpu import Inference, arithmetics
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.keras_tf import keras, tf
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.text.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese" / "df_train.json"
# Units of each layer, numbers a character, pooling.
SIZES: dict[str, dict[str, Any]] = {
    "notebook": {"lstm_units": (128, 32), "embedding_dim": 300, "pooling": "mean"},
    "default": {"lstm_units": (192,), "embedding_dim": 256, "pooling": "attention"},
}
ALONE = 300
MAX_LENGTH = 64
# The largest difference of two embeddings' numbers that is still rounding.
AGREE = 1e-4
CAPTION = """
{count:,} texts of {mean:.1f} characters on average, {max_length} at most, {threads} threads; the
arithmetic of SentenceEncoder: {arithmetic}. Medians of {repeat} in turns. times ours: how many
times its time is ours; p50 and p99: of {alone:,} texts encoded one by one. {sizes}.{missing}
"""

Encode = Callable[[list[str]], np.ndarray]


def untrained(texts: list[str], sizes: dict[str, Any]) -> SentenceEncoder:
    """An encoder of these sizes."""
    vocabulary = Vocabulary(count_characters(texts), lowercase=False)
    rng = np.random.default_rng(1)
    shape = (len(vocabulary), sizes["embedding_dim"])
    table = rng.normal(size=shape).astype(np.float32) / 10
    recipe = Recipe(text=Text(max_length=MAX_LENGTH, lowercase=False), encoder=Encoder(**sizes))
    keras.utils.set_random_seed(1)
    model = build_encoder(recipe.encoder, table)[0]
    if recipe.encoder.pooling == "attention":  # begins at zeros
        kernel = model.get_layer("attention_pooling").kernel
        kernel.assign(rng.normal(size=kernel.shape))
    return SentenceEncoder.of_model(model, vocabulary, recipe)


def through_layers(encoder: SentenceEncoder) -> Encode:
    """The same encoder, computed by Keras's layers."""
    other = SentenceEncoder(encoder.weights, encoder.vocabulary, encoder.recipe)
    ids = tf.TensorSpec([None, None], tf.int32)
    function = tf.function(lambda ids: encoder.model(ids), input_signature=[ids])
    other._inference = lambda ids: function(ids).numpy()  # type: ignore[assignment]
    return other.encode


def all_encoders(
    encoder: SentenceEncoder, threads: int
) -> tuple[dict[str, Encode], dict[str, Encode]]:
    """Ours and the peers by name; and those whose embeddings are others: of the mean."""
    same: dict[str, Encode] = {
        "SentenceEncoder.encode": encoder.encode,
        "Keras's layers, the same batches": through_layers(encoder),
    }
    session = onnx_session(encoder, threads)
    for size in (32, 128, 512) if session else ():
        same[f"ONNX Runtime, by length, batches of {size}"] = partial(session, batch_size=size)
    others: dict[str, Encode] = {}
    if not MISSING:
        peer = sentence_transformer(encoder.weights, encoder.vocabulary, MAX_LENGTH)
        for size in (32, 512):
            found = same if encoder.recipe.encoder.pooling == "mean" else others
            found[f"sentence-transformers, batches of {size}"] = partial(
                peer.encode, batch_size=size
            )
    return same, others


def measure(
    same: dict[str, Encode], others: dict[str, Encode], texts: list[str], repeat: int
) -> list[dict[str, Any]]:
    """A row of the table for each; the first one is ours."""
    encoders = same | others
    ours = next(iter(same.values()))(texts)
    differs = {name: float(np.abs(encode(texts) - ours).max()) for name, encode in same.items()}
    taken = seconds([partial(encode, texts) for encode in encoders.values()], repeat)
    rows = []
    for (name, encode), each in zip(encoders.items(), taken, strict=True):
        alone = []
        for text in texts[:: -(-len(texts) // ALONE)]:
            start = time.perf_counter()
            encode([text])
            alone.append(1000 * (time.perf_counter() - start))
        rows.append(
            {
                "what": name,
                "texts/s": int(len(texts) / each),
                "times ours": each / taken[0],
                "p50 (ms)": float(np.percentile(alone, 50)),
                "p99 (ms)": float(np.percentile(alone, 99)),
                "differs by": differs.get(name),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["notebook"])
    parser.add_argument("--count", type=int, help="so many of the texts, evenly; default: all")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    names = [each.name for each in arithmetics()]
    parser.add_argument("--arithmetic", choices=names, default=names[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    use_threads(options.threads)
    texts = [text for text in read_texts([str(options.texts)]) if text]
    texts = texts[:: max(len(texts) // (options.count or len(texts)), 1)]
    arithmetic = next(each for each in arithmetics() if each.name == options.arithmetic)
    apart = False
    for name in options.sizes:
        encoder = untrained(texts, SIZES[name])
        pooling = encoder.recipe.encoder.pooling
        encoder._inference = Inference(encoder.weights, pooling, arithmetic)
        rows = measure(*all_encoders(encoder, options.threads), texts, options.repeat)
        caption = CAPTION.format(
            count=len(texts),
            mean=np.mean([min(len(text), MAX_LENGTH) for text in texts]),
            max_length=MAX_LENGTH,
            threads=options.threads,
            arithmetic=arithmetic.name,
            repeat=options.repeat,
            alone=ALONE,
            sizes=", ".join(f"{key} {value}" for key, value in SIZES[name].items()),
            missing=MISSING,
        )
        show(f"Encoding, {name}", rows, caption, options.json)
        apart |= any((row["differs by"] or 0) > AGREE for row in rows)
    if apart:
        sys.exit("the embeddings differ")


if __name__ == "__main__":
    main()
