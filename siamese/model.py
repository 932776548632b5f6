"""SentenceEncoder: what a user keeps, loads and calls."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.errors import UserError
from siamese.evaluation import similarity_matrix
from siamese.files import read_json, replacing_folder, sha256_of, write_json
from siamese.model_card import model_card
from siamese.recipe import Recipe, load_recipe
from siamese.vocabulary import Vocabulary

if TYPE_CHECKING:
    from siamese.backend import keras

# Every file whose content a loaded model depends on; the card is for people and may be edited.
CHECKED_FILES = ("encoder.keras", "vocabulary.json", "recipe.yaml", "metrics.json")
MANIFEST = "manifest.json"
VERSION = 1


class SentenceEncoder:
    """Turns sentences into vectors, and compares them.

    Load one with `SentenceEncoder.load(folder)`.

    Example:
        >>> encoder = SentenceEncoder.load("run/best")
        >>> encoder.encode(["怎么改密码", "如何修改密码"]).shape
        (2, 256)
        >>> encoder.similarity("怎么改密码", "如何修改密码")
        0.93

    Attributes:
        recipe: the settings that the model was trained with.
        vocabulary: its characters.
        threshold: a similarity above it means the same.
        metrics: what was measured on the development pairs when the model was kept.
    """

    def __init__(
        self,
        model: "keras.Model",
        vocabulary: Vocabulary,
        recipe: Recipe,
        threshold: float = 0.0,
        metrics: dict[str, Any] | None = None,
    ) -> None:
        from siamese.backend import tf
        from siamese.packed import build_embed

        self.model = model
        self.vocabulary = vocabulary
        self.recipe = recipe
        self.threshold = threshold
        self.metrics = metrics or {}
        self._embed = tf.function(
            build_embed(model, recipe.encoder),
            input_signature=[tf.TensorSpec([None, None], tf.int32)],
        )

    @property
    def embedding_dim(self) -> int:
        """The size of an embedding."""
        return int(self.model.output_shape[-1])

    def encode(
        self,
        sentences: str | Sequence[str],
        batch_size: int = 256,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = False,
        **others: Any,
    ) -> np.ndarray:
        """Encode sentences; the call that sentence-transformers and the MTEB harness make.

        A sentence's embedding does not depend on the others, their order or the batch size. An
        empty sentence's embedding is all zeros.

        Args:
            sentences: sentences, or a single one.
            batch_size: sentences encoded at once.
            show_progress_bar: show a bar with the rate and the time left.
            normalize_embeddings: scale every embedding to unit length (zeros stay zeros).
            **others: what such callers pass besides (`prompt_name`, `device`, …): ignored.

        Returns:
            float32 `[len(sentences), dim]`, or `[dim]` for a single sentence.

        Raises:
            TypeError: a sentence is not a string, an argument is misspelled, or a tensor is wanted.
            ValueError: `batch_size` is not positive.
        """
        if isinstance(sentences, str):
            return self.encode([sentences], normalize_embeddings=normalize_embeddings, **others)[0]
        from siamese.progress import progress

        _check_arguments(others)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, found {batch_size}")
        sentences = list(sentences)
        for place, sentence in enumerate(sentences):
            if not isinstance(sentence, str):
                raise TypeError(f"sentence {place} is {sentence!r}, not a string")
        max_length = self.recipe.text.max_length
        embeddings = np.zeros((len(sentences), self.embedding_dim), np.float32)
        # Texts of like length share a batch, so that little is padded; empty ones stay zeros.
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        with progress("encoding", len(order), "texts", show=show_progress_bar) as advance:
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                ids = self.vocabulary.encode([sentences[row] for row in rows], max_length)
                embeddings[rows] = self._embed(ids).numpy()
                advance(len(rows))
        if normalize_embeddings:
            norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
            embeddings /= np.where(norms > 0, norms, 1)
        return embeddings

    def similarity(
        self, a: str | Sequence[str] | np.ndarray, b: str | Sequence[str] | np.ndarray
    ) -> Any:
        """The similarity of `a` to `b`, in the sense that the model was trained for (cosine).

        Args:
            a: a sentence, sentences, or embeddings `[n, dim]`.
            b: a sentence, sentences, or embeddings `[m, dim]`.

        Returns:
            A number for two sentences, otherwise float64 `[n, m]`: every one of `a` with every
            one of `b`.
        """
        kind = self.recipe.evaluation.similarity
        similarities = similarity_matrix(self._rows(a), self._rows(b), kind)
        both_single = isinstance(a, str) and isinstance(b, str)
        return float(similarities[0, 0]) if both_single else similarities

    def is_similar(
        self, a: str | Sequence[str] | np.ndarray, b: str | Sequence[str] | np.ndarray
    ) -> Any:
        """Whether the similarity is above the stored threshold; shapes as in `similarity`."""
        return self.similarity(a, b) > self.threshold

    def _rows(self, value: str | Sequence[str] | np.ndarray) -> np.ndarray:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            return np.atleast_2d(value)
        return self.encode([value] if isinstance(value, str) else list(value))

    def save(self, folder: Path | str) -> None:
        """Write the model folder, whole or not at all, in the place of an older one."""
        with replacing_folder(Path(folder)) as beside:
            self.model.save(beside / "encoder.keras")
            self.vocabulary.save(beside / "vocabulary.json")
            (beside / "recipe.yaml").write_text(self.recipe.to_yaml(), encoding="utf-8")
            write_json(beside / "metrics.json", {**self.metrics, "threshold": self.threshold})
            (beside / "README.md").write_text(model_card(self), encoding="utf-8")
            checksums = {name: sha256_of(beside / name) for name in CHECKED_FILES}
            write_json(beside / MANIFEST, {"version": VERSION, "sha256": checksums})

    @classmethod
    def load(cls, folder: Path | str) -> "SentenceEncoder":
        """Load a model folder. Nothing in it is unpickled or run.

        Raises:
            UserError: a file is missing, or not what was saved.
        """
        folder = Path(folder)
        check_model_folder(folder)
        from siamese.backend import keras
        from siamese.encoder import MaskedPooling

        metrics = read_json(folder / "metrics.json")
        model = keras.saving.load_model(
            folder / "encoder.keras",
            custom_objects={"MaskedPooling": MaskedPooling},
            compile=False,
            safe_mode=True,
        )
        return cls(
            model,
            Vocabulary.load(folder / "vocabulary.json"),
            load_recipe(str(folder / "recipe.yaml")),
            threshold=metrics["threshold"],
            metrics=metrics,
        )


def _check_arguments(others: dict[str, Any]) -> None:
    """Let pass what other harnesses say, but neither a misspelling nor what is not done here."""
    for name, value in others.items():
        own = ("batch_size", "show_progress_bar", "normalize_embeddings")
        if close := difflib.get_close_matches(name, own, n=1, cutoff=0.8):
            raise TypeError(f"encode has no argument {name!r}; did you mean {close[0]!r}?")
        if name == "convert_to_tensor" and value:
            raise TypeError("encode returns numpy arrays: convert_to_tensor must be False")


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
    content = read_json(manifest)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise UserError(f"{manifest}: not of version {VERSION}, which this release reads.")
    checksums = content.get("sha256")
    for name in CHECKED_FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing. Copy or train the model again.")
        if not isinstance(checksums, dict) or sha256_of(folder / name) != checksums.get(name):
            raise UserError(
                f"{folder / name}: not the file that was saved (its SHA-256 is not the one in "
                f"{MANIFEST}): truncated or altered. Copy or train the model again."
            )
