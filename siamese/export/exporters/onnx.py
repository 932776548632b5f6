"""`onnx`: a graph for ONNX Runtime and others, with what is needed to make its ids.

DIR/model.onnx        ids -> embeddings
DIR/characters.json   what ids each character is read as, and how many are read
DIR/README.md         how to use both, in any language
DIR/export.json       the model's similarity and threshold, and what int8 loses
"""

import json
import logging
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.export.characters import character_ids, padded_ids
from siamese.export.checking import check_same
from siamese.export.exporter import Encode, ExportOptions
from siamese.export.quantization_loss import quantization_loss
from siamese.export.readme import onnx_readme
from siamese.text.vocabulary import PADDING_ID, UNKNOWN_ID

BATCH = 256
MODEL, CHARACTERS = "model.onnx", "characters.json"


class Onnx:
    """Writes a graph, and runs it with ONNX Runtime.

    Args:
        options: what is asked of it.

    Raises:
        UserError: a package is missing.
    """

    def __init__(self, options: ExportOptions) -> None:
        for package in ("onnx", "onnxruntime"):
            if find_spec(package) is None:
                raise UserError(
                    f"--to onnx needs the package {package}: pip install 'siamese-ray[onnx]'"
                )
        self._options = options

    def write(self, encoder: SentenceEncoder, folder: Path) -> dict[str, Any]:
        """Write the graph and its table of characters, and check them with ONNX Runtime."""
        import onnx

        from siamese.export.onnx_graph import build_graph

        table = {
            "max_length": encoder.recipe.text.max_length,
            "padding": PADDING_ID,
            "unknown": UNKNOWN_ID,
            "ids": character_ids(encoder.vocabulary),
        }
        text = json.dumps(table, ensure_ascii=False)
        (folder / CHARACTERS).write_text(text + "\n", encoding="utf-8")
        onnx.save(build_graph(encoder.weights, encoder.recipe.encoder.pooling), folder / MODEL)
        apart = check_same(encoder, self.load(folder))
        about: dict[str, Any] = {
            "largest_difference": apart,
            "notes": [f"checked with ONNX Runtime: at most {apart:.1e} apart"],
        }
        if self._options.int8:
            _quantize(folder / MODEL)
            loss = quantization_loss(encoder, self.load(folder), self._options.pairs)
            about |= {"int8": loss, "notes": [_loss_in_words(loss, len(self._options.pairs))]}
        (folder / "README.md").write_text(onnx_readme(encoder, about), encoding="utf-8")
        return about

    def load(self, folder: Path) -> Encode:
        """Open the graph with ONNX Runtime, and read the table."""
        import onnxruntime

        session = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
        table = json.loads((folder / CHARACTERS).read_text(encoding="utf-8"))

        def encode(texts: Sequence[str]) -> np.ndarray:
            dim = session.get_outputs()[0].shape[1]
            embeddings = np.empty((len(texts), dim), np.float32)
            # Texts of like length share a batch, so that little is padded.
            order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
            for start in range(0, len(texts), BATCH):
                rows = order[start : start + BATCH]
                ids = padded_ids([texts[row] for row in rows], table["ids"], table["max_length"])
                embeddings[rows] = session.run(None, {"ids": np.array(ids, np.int64)})[0]
            return embeddings

        return encode


def _quantize(path: Path) -> None:
    """Turn the weights of a graph into int8; what goes through it is turned as it comes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        smaller = Path(temporary) / path.name
        disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)  # of what cannot be quantised: comparisons, for example
        try:
            # 7 bits of the 8: with all 8, sums overflow on processors that lack VNNI.
            quantize_dynamic(
                path, smaller, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
            )
        finally:
            logging.disable(disabled)
        smaller.replace(path)


def _loss_in_words(loss: dict[str, float], pairs: int) -> str:
    spearman = f"Spearman {loss['spearman_loss']:.4f} on texts drawn from the vocabulary"
    if pairs:
        spearman = (
            f"Spearman {loss['spearman_loss']:.4f} of {loss['spearman']:.4f} on {pairs:,} pairs"
        )
    return f"int8 loses: cosine {loss['cosine_loss']:.5f}, {spearman}"


def build(options: ExportOptions) -> Onnx:
    """Make the exporter."""
    return Onnx(options)
