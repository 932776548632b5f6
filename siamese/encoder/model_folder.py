"""The model folder: what is in it, written and read as a whole.

MODEL/encoder.keras     the weights, as Keras saves them
MODEL/vocabulary.json   the characters
MODEL/recipe.yaml       every setting of the run that trained it
MODEL/metrics.json      what was measured on the development pairs, with the threshold
MODEL/calibration.json  what similarities mean; models of older releases have none
MODEL/README.md         the model card, for people
MODEL/modules.json      which of our classes `SentenceTransformer(MODEL)` shall load it with
MODEL/config_sentence_transformers.json  and which similarity it shall have
MODEL/manifest.json     checksums; a folder without it is not a model folder
"""

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from siamese.config.loading import load_recipe
from siamese.config.metrics import METRICS
from siamese.config.recipe import Recipe
from siamese.encoder.calibration import Calibrator, read_calibrator, write_calibrator
from siamese.encoder.model_card import model_card
from siamese.encoder.weights import Weights, read_weights
from siamese.errors import UserError
from siamese.storage.atomic import read_json, replacing_folder, sha256_of, write_json
from siamese.storage.local_copy import local_copy
from siamese.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras

# Every file whose content a loaded model depends on; the card is for people and may be edited.
CHECKED_FILES = ("encoder.keras", "vocabulary.json", "recipe.yaml", "metrics.json")
CALIBRATION = "calibration.json"
MANIFEST = "manifest.json"
# All that loading a model reads, if it is there.
MODEL_FILES = (*CHECKED_FILES, CALIBRATION, MANIFEST)
VERSION = 1
SENTENCE_TRANSFORMERS = "config_sentence_transformers.json"
# What sentence-transformers looks for in a folder; nothing of ours reads it.
MODULES = [
    {
        "idx": 0,
        "name": "0",
        "path": "",
        "type": "siamese.export.model_folder_module.SiameseModelFolder",
    }
]
# Above all figures; neither NaN lies below it, nor infinity, nor what is too large for a float.
LARGEST_FIGURE = 1e18
# Bytes that files which are read at once may have; far more than any has that was saved.
LARGEST = {
    "vocabulary.json": 1 << 26,
    "recipe.yaml": 1 << 20,
    "metrics.json": 1 << 20,
    CALIBRATION: 1 << 24,
    MANIFEST: 1 << 20,
}


class ModelContents(NamedTuple):
    """Everything that a model folder holds.

    Attributes:
        weights: of the encoder.
        vocabulary: its characters.
        recipe: the settings that it was trained with.
        threshold: a similarity above it means the same.
        metrics: what was measured on the development pairs when the model was kept.
        calibrator: what similarities mean, if anybody fitted it.
    """

    weights: Weights
    vocabulary: Vocabulary
    recipe: Recipe
    threshold: float
    metrics: dict[str, Any]
    calibrator: Calibrator | None = None


def write_model_folder(folder: Path, model: "keras.Model", contents: ModelContents) -> None:
    """Write a model folder, whole or not at all, in the place of an older one.

    Args:
        folder: where.
        model: the Keras model of the contents' weights.
        contents: everything else.
    """
    with replacing_folder(folder) as beside:
        model.save(beside / "encoder.keras")
        contents.vocabulary.save(beside / "vocabulary.json")
        (beside / "recipe.yaml").write_text(contents.recipe.to_yaml(), encoding="utf-8")
        metrics = {**contents.metrics, "threshold": contents.threshold}
        write_json(beside / "metrics.json", metrics)
        card = model_card(contents.weights, contents.vocabulary, contents.recipe, metrics)
        (beside / "README.md").write_text(card, encoding="utf-8")
        write_json(beside / "modules.json", MODULES)
        write_json(beside / SENTENCE_TRANSFORMERS, sentence_transformers_config(contents.recipe))
        if contents.calibrator is not None:
            write_calibrator(beside / CALIBRATION, contents.calibrator)
        present = [name for name in (*CHECKED_FILES, CALIBRATION) if (beside / name).is_file()]
        checksums = {name: sha256_of(beside / name) for name in present}
        write_json(beside / MANIFEST, {"version": VERSION, "sha256": checksums})


def sentence_transformers_config(recipe: Recipe) -> dict[str, Any]:
    """Make the content of `config_sentence_transformers.json`.

    It knows no similarity like the notebook's: there, a model of that has none.

    Args:
        recipe: the model's.
    """
    kind = recipe.evaluation.similarity
    return {
        "model_type": "SentenceTransformer",
        "similarity_fn_name": "cosine" if kind == "cosine" else None,
    }


def read_model_folder(folder: Path) -> ModelContents:
    """Read a model folder. Nothing in it is unpickled or run, and TensorFlow is not imported.

    The folder may come from a stranger: whatever is in it, no file outside of it is read, and the
    memory taken does not exceed by much what its files have in bytes.

    Raises:
        UserError: a file is missing, or not what was saved.
    """
    check_model_folder(folder)
    metrics = _read_metrics(folder / "metrics.json")
    calibration = folder / CALIBRATION
    contents = ModelContents(
        read_weights(folder / "encoder.keras"),
        Vocabulary.load(folder / "vocabulary.json"),
        load_recipe(str(folder / "recipe.yaml"), stored=True),
        metrics["threshold"],
        metrics,
        read_calibrator(calibration) if calibration.is_file() else None,
    )
    _check_fit(folder, contents)
    return contents


def _read_metrics(path: Path) -> dict[str, Any]:
    """Read the figures, all numbers."""
    metrics = read_json(path)
    if not isinstance(metrics, dict):
        raise UserError(f"{path}: not figures by name. Copy or train the model again.")
    for name in ("threshold", *({*METRICS, "pairs", "positives"} & metrics.keys())):
        value: Any = metrics.get(name)
        if type(value) not in (int, float) or not -LARGEST_FIGURE < value < LARGEST_FIGURE:
            raise UserError(f"{path}: {name} is no number. Copy or train the model again.")
    return metrics


def _check_fit(folder: Path, contents: ModelContents) -> None:
    """Check that weights, vocabulary and recipe are of the same model."""
    weights, encoder = contents.weights, contents.recipe.encoder
    heads = 0 if weights.attention is None else weights.attention.shape[1]
    found = (
        weights.characters.shape,
        tuple(layer.recurrent.shape[1] for layer in weights.layers),
        heads,
    )
    expected = (
        (len(contents.vocabulary), encoder.embedding_dim),
        encoder.lstm_units,
        encoder.attention_heads if encoder.pooling == "attention" else 0,
    )
    if found != expected:
        raise UserError(
            f"{folder}: the weights are not of this vocabulary and recipe: sizes {found}, not "
            f"{expected}. Copy or train the model again."
        )


def local_model(location: str | Path) -> AbstractContextManager[Path]:
    """Open a model folder at a path or a URI; of a URI, a copy while the block runs.

    Raises:
        UserError: there is no such folder at the URI, or it cannot be read.
    """
    # The second one for the hint that a run folder gets.
    return local_copy(location, (*MODEL_FILES, f"best/{MANIFEST}"))


def check_model_folder(folder: Path) -> None:
    """Check that a model folder is complete and unaltered.

    Raises:
        UserError: names the file and what is wrong with it.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        hint = ""
        if (folder / "best" / MANIFEST).is_file():
            hint = f" This is a run folder: its model is {folder / 'best'}."
        if not folder.exists():
            raise UserError(f"{folder}: no such folder. Give the model folder of a run, RUN/best.")
        raise UserError(f"{folder}: not a model folder, {MANIFEST} is missing.{hint}")
    _check_own(folder, MANIFEST)
    content = read_json(manifest)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise UserError(f"{manifest}: not of version {VERSION}, which this release reads.")
    checksums = content.get("sha256")
    checksums = checksums if isinstance(checksums, dict) else {}
    calibrated = (folder / CALIBRATION).is_file() or CALIBRATION in checksums
    for name in (*CHECKED_FILES, CALIBRATION) if calibrated else CHECKED_FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing. Copy or train the model again.")
        _check_own(folder, name)
        if sha256_of(folder / name) != checksums.get(name):
            raise UserError(
                f"{folder / name}: not the file that was saved (its SHA-256 is not the one in "
                f"{MANIFEST}): truncated or altered. Copy or train the model again."
            )


def _check_own(folder: Path, name: str) -> None:
    """Check that a file is the folder's own, and no larger than such a file can be."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path}: a link out of the folder. Copy the file itself.")
    if path.stat().st_size > LARGEST.get(name, math.inf):
        raise UserError(f"{path}: larger than such a file can be. Copy or train the model again.")
