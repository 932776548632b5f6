"""The same encoder in PyTorch and in ONNX Runtime.

Import it before TensorFlow, which cannot bear triton after itself.

`MISSING` is what a benchmark says where the extra `bench` is not installed; then the functions
cannot be called.
"""

import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.encoder.weights import Layer, Weights
from siamese.text.vocabulary import Vocabulary

try:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import LSTM, Pooling, WordEmbeddings
    from sentence_transformers.models.tokenizer import WordTokenizer
except ImportError:
    MISSING = " PyTorch and sentence-transformers (extra `bench`) are not installed: left out."
else:
    MISSING = ""

if TYPE_CHECKING:
    from siamese.encoder.sentence_encoder import SentenceEncoder


def use_threads(count: int) -> None:
    """Have SentenceEncoder, PyTorch and TensorFlow compute in so many threads."""
    import tensorflow as tf

    os.environ["OMP_NUM_THREADS"] = str(count)
    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not MISSING:
        torch.set_num_threads(count)


def onnx_session(encoder: "SentenceEncoder", threads: int) -> Callable[..., np.ndarray] | None:
    """The graph that `siamese export --to onnx` writes, in ONNX Runtime; None: not installed.

    Returns:
        Texts and `batch_size` to embeddings; the texts are sorted by length, so that little is
        padded.
    """
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return None
    import onnxruntime

    from siamese.export.export import export_model
    from siamese.export.exporter import ExportOptions

    with tempfile.TemporaryDirectory(prefix="siamese-onnx-") as temporary:
        folder = Path(temporary)
        encoder.save(folder / "model")
        export_model(str(folder / "model"), "onnx", folder / "onnx", ExportOptions())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            folder / "onnx" / "model.onnx", options, providers=["CPUExecutionProvider"]
        )

    def encode(texts: list[str], batch_size: int) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        embeddings = np.empty((len(texts), encoder.embedding_dim), np.float32)
        most = encoder.recipe.text.max_length
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            longest = min(len(texts[rows[-1]]), most)
            ids = encoder.vocabulary.encode([texts[row] for row in rows], most, longest)
            embeddings[rows] = session.run(None, {"ids": ids.astype(np.int64)})[0]
        return embeddings

    return encode


def copy_layer(layer: Layer, lstm: "torch.nn.LSTM") -> None:
    """Give a bidirectional `torch.nn.LSTM` of one layer the weights of ours."""
    for direction, suffix in enumerate(("", "_reverse")):
        kernel, recurrent, bias = (torch.from_numpy(array[direction].T) for array in layer)
        with torch.no_grad():
            getattr(lstm, f"weight_ih_l0{suffix}").copy_(kernel)
            getattr(lstm, f"weight_hh_l0{suffix}").copy_(recurrent)
            getattr(lstm, f"bias_ih_l0{suffix}").copy_(bias)
            getattr(lstm, f"bias_hh_l0{suffix}").zero_()


def sentence_transformer(weights: Weights, vocabulary: Vocabulary, max_length: int) -> Any:
    """An encoder with mean pooling in PyTorch, as a model of sentence-transformers."""

    class Characters(WordTokenizer):
        """A token for each character."""

        def get_vocab(self) -> list[str]:
            return vocabulary.characters

        def set_vocab(self, vocab: Any) -> None:
            raise NotImplementedError

        def tokenize(self, text: str, **_: Any) -> list[int]:
            return vocabulary.encode([text], max_length, length=min(len(text), max_length))[
                0
            ].tolist()

        def save(self, output_path: str) -> None:
            raise NotImplementedError

        @staticmethod
        def load(input_path: str) -> "Characters":
            raise NotImplementedError

    modules = [WordEmbeddings(Characters(), weights.characters, max_seq_length=max_length)]
    for layer in weights.layers:
        units = layer.recurrent.shape[1]
        lstm = LSTM(layer.kernel.shape[1], units)
        copy_layer(layer, lstm.encoder)
        modules.append(lstm)
    return SentenceTransformer(modules=[*modules, Pooling(2 * units, "mean")], device="cpu")


def lstm_step(weights: Weights, ids: np.ndarray) -> Callable[[], np.ndarray]:
    """Forward and backward pass of an encoder with mean pooling, by `torch.nn.LSTM`, packed.

    Args:
        weights: of the encoder; the characters are not trained.
        ids: `[batch, time]`, padded at the end.

    Returns:
        A function that runs both passes, of the sum of all embeddings, and returns the gradient of
        the first layer's input kernel.
    """
    characters = torch.nn.Embedding.from_pretrained(torch.from_numpy(weights.characters))
    layers = torch.nn.ModuleList()
    for layer in weights.layers:
        size, units = layer.kernel.shape[1], layer.recurrent.shape[1]
        layers.append(torch.nn.LSTM(size, units, batch_first=True, bidirectional=True))
        copy_layer(layer, layers[-1])
    rows = torch.from_numpy(ids).long()
    lengths = (rows != 0).sum(dim=1)

    def run() -> np.ndarray:
        layers.zero_grad()
        hidden = torch.nn.utils.rnn.pack_padded_sequence(
            characters(rows), lengths, batch_first=True, enforce_sorted=False
        )
        for layer in layers:
            hidden, _ = layer(hidden)
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(hidden, batch_first=True)
        (outputs.sum(dim=1) / lengths[:, None]).sum().backward()
        return layers[0].weight_ih_l0.grad.numpy().T

    return run
