"""How exact exports are, what int8 loses, and how fast they run beside the encoder itself.

    python tests/benchmarks/export.py MODEL --texts FILE [--pairs FILE] [--count 10000] [--repeat 3]
        [--json FILE]

MODEL is a model folder, FILE anything `siamese encode` reads. The texts are the file's first ones,
with odd case, forms, empty and over-long ones among them (`siamese/export/checking.py`). Exports
run as their users run them: ONNX Runtime with the table of characters; sentence-transformers
loading the folder, with the flag where its module is its own (the extra `bench`; left out, with a
word, where it is not installed). With --pairs, int8 is judged on them.
"""

# First of all: torch that is imported after TensorFlow ends the process.
from peers import MISSING  # isort: skip

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from measured import seconds, show

from siamese.data.reading import read_pairs, read_texts
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.similarity import pairwise_similarity
from siamese.export.checking import TOLERANCE, sample_texts
from siamese.export.export import export_model
from siamese.export.exporter import ExportOptions, build_exporter
from siamese.export.quantization_loss import quantization_loss

Encode = Callable[[list[str]], np.ndarray]
EXPORTS = ("sentence-transformers", "onnx", "onnx int8")
CAPTION = """
{model}: {count:,} texts of {mean:.1f} characters on average, {odd:,} of them drawn from the
vocabulary, odd, empty or over-long; medians of {repeat} in turns. ours: how many times as fast
SentenceEncoder is; differs by: the largest difference of two numbers from ours; cosine loss: 1
minus the cosine with ours, on average; Spearman loss: {spearman}.{missing}
"""


def as_users_load(name: str, folder: Path) -> Encode:
    """Load an export; in the folder of sentence-transformers, its copy of the module is run."""
    if name != "sentence-transformers":
        return build_exporter("onnx", ExportOptions()).load(folder)
    from sentence_transformers import SentenceTransformer

    flag = (folder / "siamese_encoder.py").is_file()
    model = SentenceTransformer(str(folder), device="cpu", trust_remote_code=flag)
    return partial(model.encode, batch_size=512, show_progress_bar=False)


def main() -> None:
    """Export a model in every way, compare, and show a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--pairs")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    encoder = SentenceEncoder.load(options.model)
    odd = sample_texts(encoder)
    texts = [*odd, *islice(read_texts([options.texts]), max(options.count - len(odd), 0))]
    pairs = read_pairs([options.pairs]) if options.pairs else []
    exports = [e for e in EXPORTS if not MISSING or e != "sentence-transformers"]
    with tempfile.TemporaryDirectory(prefix="siamese-export-") as temporary:
        encoders: dict[str, Encode] = {"SentenceEncoder": encoder.encode}
        sizes = {"SentenceEncoder": encoder.weights.parameters * 4}
        for name in exports:
            folder = Path(temporary) / name.replace(" ", "-")
            to, int8 = name.partition(" ")[0], name.endswith("int8")
            print(f"{name}: {export_model(options.model, to, folder, ExportOptions(int8))}")
            encoders[name] = as_users_load(name, folder)
            sizes[name] = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        rows = measure(encoder, encoders, texts, pairs, options.repeat)
    for row in rows:
        row["MiB"] = sizes[row["what"]] / 2**20
    show(
        "Exports",
        rows,
        CAPTION.format(
            model=options.model,
            count=len(texts),
            mean=np.mean([*map(len, texts)]),
            odd=len(odd),
            repeat=options.repeat,
            spearman=f"of {len(pairs):,} pairs" if pairs else "1 - correlation, on drawn texts",
            missing=MISSING,
        ),
        options.json,
    )
    exact = [row for row in rows if "int8" not in row["what"]]
    if max(row["differs by"] for row in exact) > TOLERANCE:
        sys.exit(f"an export differs by more than {TOLERANCE}")


def measure(
    encoder: SentenceEncoder, encoders: dict[str, Encode], texts: list[str], pairs: Any, repeat: int
) -> list[dict[str, Any]]:
    """A row of the table for each; the first one is ours."""
    ours = encoder.encode(texts)
    filled = ours.any(axis=1)
    taken = seconds([partial(encode, texts) for encode in encoders.values()], repeat)
    rows = []
    for (name, encode), each in zip(encoders.items(), taken, strict=True):
        found = np.asarray(encode(texts))
        loss = quantization_loss(encoder, encode, pairs)
        cosines = pairwise_similarity(ours[filled], found[filled], "cosine")
        rows.append(
            {
                "what": name,
                "texts/s": int(len(texts) / each),
                "ours (times)": each / taken[0],
                "differs by": float(np.abs(found - ours).max()),
                "cosine loss": float(1 - cosines.mean()),
                "Spearman loss": loss["spearman_loss"],
            }
        )
    return rows


if __name__ == "__main__":
    main()
