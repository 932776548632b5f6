"""How fast texts become vectors: many at once, and one alone.

    python tests/benchmarks/encoding.py [--texts FILE] [--model MODEL] [--units 128 32] [--dim 300]
        [--repeat 3] [--json FILE]

FILE is anything `siamese encode` reads; by default the sample's groups. Without MODEL an untrained
encoder of the given sizes is used, whose speed is the same. Beside it Keras's own layers get the
same batches.
"""

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measured import show

from siamese.backend import tf
from siamese.encoder import build_encoder
from siamese.groups import read_texts
from siamese.model import SentenceEncoder
from siamese.recipe import Encoder, Recipe
from siamese.vocabulary import Vocabulary, count_characters

SAMPLE = Path(__file__).parents[2] / "data" / "siamese" / "df_train.json"
ALONE = 1000
CAPTION = """
{count:,} texts of {mean:.1f} characters on average, medians of {repeat}; p50 and p99: of {alone:,}
texts encoded one by one. {sizes}"""


def untrained(texts: list[str], units: list[int], dim: int) -> SentenceEncoder:
    """An encoder of these sizes."""
    vocabulary = Vocabulary(count_characters(texts), lowercase=True)
    table = np.random.default_rng(1).normal(size=(len(vocabulary), dim)).astype(np.float32) / 10
    recipe = Recipe(encoder=Encoder(embedding_dim=dim, lstm_units=tuple(units)))
    return SentenceEncoder(build_encoder(recipe.encoder, table)[0], vocabulary, recipe)


def through_layers(encoder: SentenceEncoder) -> SentenceEncoder:
    """The same encoder, computed by Keras's layers."""
    other = SentenceEncoder(encoder.model, encoder.vocabulary, encoder.recipe)
    model = encoder.model
    other._embed = tf.function(
        lambda ids: model(ids), input_signature=[tf.TensorSpec([None, None], tf.int32)]
    )
    return other


def measure(name: str, encoder: SentenceEncoder, texts: list[str], repeat: int) -> dict[str, Any]:
    """A row of the table."""
    for text in texts[:20]:
        encoder.encode(text)
    encoder.encode(texts[:2000])
    taken = []
    for _ in range(repeat):
        start = time.perf_counter()
        encoder.encode(texts)
        taken.append(time.perf_counter() - start)
    alone = []
    for text in texts[:ALONE]:
        start = time.perf_counter()
        encoder.encode(text)
        alone.append(1000 * (time.perf_counter() - start))
    return {
        "what": name,
        "texts/s": int(len(texts) / median(taken)),
        "p50 (ms)": float(np.percentile(alone, 50)),
        "p99 (ms)": float(np.percentile(alone, 99)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=Path, default=SAMPLE)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--units", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    texts = [text for text in read_texts([str(options.texts)]) if text]
    if options.model:
        encoder, sizes = SentenceEncoder.load(options.model), str(options.model)
    else:
        encoder = untrained(texts, options.units, options.dim)
        units = " and ".join(map(str, options.units))
        sizes = f"BiLSTM of {units} units a direction over {options.dim} numbers a character."
    rows = [
        measure("SentenceEncoder.encode", encoder, texts, options.repeat),
        measure("the same through Keras's layers", through_layers(encoder), texts, options.repeat),
    ]
    caption = CAPTION.format(
        count=len(texts),
        mean=np.mean([len(text) for text in texts]),
        repeat=options.repeat,
        alone=ALONE,
        sizes=sizes,
    )
    show("Encoding", rows, caption, options.json)


if __name__ == "__main__":
    main()
