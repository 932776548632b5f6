"""`sentence-transformers`: a folder that `SentenceTransformer(DIR)` loads.

Stock modules where they express the model exactly: pooling `mean`, and few characters that are read
as several ("ß" as "ss"). Otherwise a module of its own, `siamese_encoder.py`, which wants
`SentenceTransformer(DIR, trust_remote_code=True)`. Writing needs neither torch nor
sentence-transformers; what is written is checked where they are installed.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from siamese.encoder.model_folder import SENTENCE_TRANSFORMERS, sentence_transformers_config
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.weights import Layer
from siamese.errors import UserError
from siamese.export.characters import character_ids, readings
from siamese.export.checking import check_same
from siamese.export.exporter import Encode, ExportOptions
from siamese.export.readme import sentence_transformers_readme
from siamese.export.safetensors_file import write_safetensors
from siamese.storage.atomic import write_json
from siamese.text.vocabulary import PADDING_ID, UNKNOWN_ID

# Before it, `WordEmbeddings` could not use a tokenizer of Hugging Face, nor cut texts.
STOCK_SINCE = "6.2"
# A tokenizer looks for each in every text: casefold has 104.
MOST_REPLACED = 128
OWN_MODULE = Path(__file__).parents[1] / "siamese_encoder.py"
_STOCK = "sentence_transformers.models"


class SentenceTransformers:
    """Writes a folder, and loads it with sentence-transformers."""

    def write(self, encoder: SentenceEncoder, folder: Path) -> dict[str, Any]:
        """Write the modules, and check them if sentence-transformers is installed."""
        replaced = {c: r for c, r in readings(encoder.vocabulary).items() if len(r) != 1}
        is_stock = encoder.recipe.encoder.pooling == "mean" and len(replaced) <= MOST_REPLACED
        if is_stock:
            modules = _write_stock(encoder, folder, replaced)
        else:
            modules = _write_own(encoder, folder)
        names = [{"idx": n, "name": str(n), **module} for n, module in enumerate(modules)]
        write_json(folder / "modules.json", names)
        write_json(folder / SENTENCE_TRANSFORMERS, sentence_transformers_config(encoder.recipe))
        readme = sentence_transformers_readme(encoder, STOCK_SINCE if is_stock else None)
        (folder / "README.md").write_text(readme, encoding="utf-8")
        notes = [f"stock modules of sentence-transformers {STOCK_SINCE} or later"]
        if not is_stock:
            notes = ["a module of its own: SentenceTransformer(DIR, trust_remote_code=True)"]
        if encoder.recipe.evaluation.similarity != "cosine":
            notes.append("its model.similarity is the cosine: the threshold is not for that")
        about: dict[str, Any] = {"stock_modules": is_stock, "notes": notes}
        if find_spec("sentence_transformers") is None:
            notes.append("not checked here, where sentence-transformers is not installed")
            return about
        if is_stock and _numbers(installed := version("sentence-transformers")) < _numbers(
            STOCK_SINCE
        ):
            notes.append(f"not checked here, where sentence-transformers {installed} is installed")
            return about
        apart = check_same(encoder, self.load(folder))
        notes.append(f"checked with sentence-transformers: at most {apart:.1e} apart")
        return about | {"largest_difference": apart}

    def load(self, folder: Path) -> Encode:
        """Load the folder as a `SentenceTransformer`."""
        from sentence_transformers import SentenceTransformer

        if (folder / OWN_MODULE.name).is_file():
            # That file's original: of a copy, the cache of Hugging Face's modules keeps another.
            from siamese.export.siamese_encoder import SiameseEncoder

            module = SiameseEncoder.load(str(folder))
            model = SentenceTransformer(modules=[module], device="cpu")
        else:
            model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

        def encode(texts: Sequence[str]) -> np.ndarray:
            embeddings: np.ndarray = model.encode(list(texts), show_progress_bar=False)
            return embeddings

        return encode


def build(options: ExportOptions) -> SentenceTransformers:
    """Make the exporter.

    Raises:
        UserError: int8 is asked for.
    """
    if options.int8:
        raise UserError("--int8 is for --to onnx: sentence-transformers keeps weights of 32 bits.")
    return SentenceTransformers()


def _numbers(release: str) -> list[int]:
    return [int(number) for number in release.split(".")[:2]]


def _write_stock(
    encoder: SentenceEncoder, folder: Path, replaced: Mapping[str, str]
) -> list[dict[str, str]]:
    """Write `WordEmbeddings`, an `LSTM` for each layer, and `Pooling`."""
    weights = encoder.weights
    tokens, rows = _tokens(encoder)
    write_json(folder / "tokenizer.json", _tokenizer(tokens, replaced))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    tokenizer = f"{_STOCK}.tokenizer.WordTokenizer.TransformersTokenizerWrapper"
    config: dict[str, Any] = {
        "tokenizer_class": tokenizer,
        "update_embeddings": False,
        "max_seq_length": encoder.recipe.text.max_length,
    }
    write_json(folder / "wordembedding_config.json", config)
    write_safetensors(folder / "model.safetensors", {"emb_layer.weight": weights.characters[rows]})
    modules = [{"path": "", "type": f"{_STOCK}.WordEmbeddings"}]
    for number, layer in enumerate(weights.layers, start=1):
        path = f"{number}_LSTM"
        (folder / path).mkdir()
        config = {
            "word_embedding_dimension": layer.kernel.shape[1],
            "hidden_dim": layer.recurrent.shape[1],
            "num_layers": 1,
            "dropout": 0,
            "bidirectional": True,
        }
        write_json(folder / path / "lstm_config.json", config)
        write_safetensors(folder / path / "model.safetensors", _torch_lstm(layer, "encoder."))
        modules.append({"path": path, "type": f"{_STOCK}.LSTM"})
    path = f"{len(modules)}_Pooling"
    (folder / path).mkdir()
    # By the names that releases before 6.0 have; later ones know both.
    config = {"word_embedding_dimension": weights.embedding_dim, "pooling_mode_mean_tokens": True}
    write_json(folder / path / "config.json", config)
    return [*modules, {"path": path, "type": f"{_STOCK}.Pooling"}]


def _tokens(encoder: SentenceEncoder) -> tuple[dict[str, int], list[int]]:
    """Give every character that is read as one id a token, and say which id each token stands for.

    A character that is read as another, such as "A" as "a", has a token of its own, with a copy of
    that one's embedding: of two with the same number, a tokenizer that is saved again loses one.
    """
    tokens = {"[PAD]": PADDING_ID, "[UNK]": UNKNOWN_ID}
    rows = [*range(len(encoder.vocabulary))]
    taken = {PADDING_ID, UNKNOWN_ID}
    for character, ids in character_ids(encoder.vocabulary).items():
        if len(ids) != 1:
            continue
        tokens[character] = ids[0] if ids[0] not in taken else len(rows)
        if ids[0] in taken:
            rows.append(ids[0])
        taken.add(ids[0])
    return tokens, rows


def _tokenizer(tokens: Mapping[str, int], replaced: Mapping[str, str]) -> dict[str, Any]:
    """Make a tokenizer of characters.

    Args:
        tokens: each character's token.
        replaced: characters that are read as several, with those.
    """
    normalizers = [
        {"type": "Replace", "pattern": {"String": c}, "content": r} for c, r in replaced.items()
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": tokens, "unk_token": "[UNK]"},
    }


def _write_own(encoder: SentenceEncoder, folder: Path) -> list[dict[str, str]]:
    """Write the module's file, its configuration and its weights."""
    weights = encoder.weights
    heads = 0 if weights.attention is None else weights.attention.shape[1]
    config = {
        "unknown_id": UNKNOWN_ID,
        "max_seq_length": encoder.recipe.text.max_length,
        "vocabulary_size": weights.characters.shape[0],
        "character_dim": weights.characters.shape[1],
        "lstm_units": [layer.recurrent.shape[1] for layer in weights.layers],
        "pooling": encoder.recipe.encoder.pooling,
        "attention_heads": heads,
        "ids": character_ids(encoder.vocabulary),
    }
    text = json.dumps(config, ensure_ascii=False)
    (folder / "siamese_encoder.json").write_text(text + "\n", encoding="utf-8")
    arrays = {"characters.weight": weights.characters}
    for number, layer in enumerate(weights.layers):
        arrays |= _torch_lstm(layer, f"layers.{number}.")
    if weights.attention is not None:
        arrays["attention.weight"] = weights.attention.T
    write_safetensors(folder / "model.safetensors", arrays)
    shutil.copyfile(OWN_MODULE, folder / OWN_MODULE.name)
    return [{"path": "", "type": f"{OWN_MODULE.stem}.SiameseEncoder"}]


def _torch_lstm(layer: Layer, prefix: str) -> dict[str, np.ndarray]:
    """Name a layer's weights as `torch.nn.LSTM` does; its gates have the order of Keras'."""
    arrays = {}
    for direction, ending in enumerate(("", "_reverse")):
        kernel, recurrent, bias = (array[direction] for array in layer)
        arrays[f"{prefix}weight_ih_l0{ending}"] = kernel.T
        arrays[f"{prefix}weight_hh_l0{ending}"] = recurrent.T
        arrays[f"{prefix}bias_ih_l0{ending}"] = bias
        arrays[f"{prefix}bias_hh_l0{ending}"] = np.zeros_like(bias)  # torch has two of them
    return arrays
