"""SentenceEncoder: what a user keeps, loads and calls."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.config.recipe import Recipe
from siamese.encoder.arguments import (
    check_others,
    checked_batch_size,
    checked_batches,
    checked_flag,
    checked_sentences,
)
from siamese.encoder.bilstm_cpu import Inference
from siamese.encoder.calibration import Calibrator
from siamese.encoder.comparing import Comparing
from siamese.encoder.fingerprint import fingerprint_of
from siamese.encoder.model_folder import (
    ModelContents,
    local_model,
    read_model_folder,
    write_model_folder,
)
from siamese.encoder.mteb_meta import model_meta
from siamese.encoder.output_form import output_form
from siamese.encoder.text_batches import batches_of, may_have_gpu
from siamese.encoder.threads import cores, in_threads
from siamese.encoder.weights import Weights, weights_of
from siamese.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from siamese.encoder.keras_tf import keras


# Texts that a thread is worth.
SMALLEST_SHARE = 32


class SentenceEncoder(Comparing):
    """Turns sentences into vectors, and compares them.

    Load one with `SentenceEncoder.load(folder)`. On a CPU it never imports TensorFlow
    (`bilstm_cpu.py`); on a machine with a GPU it runs the Keras model there. It may be
    called by several threads at once, pickled, and handed to Ray or joblib.

    Example:
        >>> encoder = SentenceEncoder.load("run/best")
        >>> encoder.encode(["怎么改密码", "如何修改密码"]).shape
        (2, 256)
        >>> encoder.similarity("怎么改密码", "如何修改密码")
        0.93

    Attributes:
        weights: of the encoder.
        recipe: the settings that the model was trained with.
        vocabulary: its characters.
        threshold: a similarity above it means the same.
        metrics: what was measured on the development pairs when the model was kept.
        calibrator: what similarities mean; None: nobody fitted it (models of older releases).
    """

    def __init__(
        self,
        weights: Weights,
        vocabulary: Vocabulary,
        recipe: Recipe,
        threshold: float = 0.0,
        metrics: dict[str, Any] | None = None,
        calibrator: Calibrator | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.recipe = recipe
        self.threshold = threshold
        self.metrics = metrics or {}
        self.calibrator = calibrator
        self._take(weights)

    @classmethod
    def of_model(
        cls, model: "keras.Model", vocabulary: Vocabulary, recipe: Recipe
    ) -> "SentenceEncoder":
        """Make an encoder with the weights that a model of `build_encoder` has now."""
        encoder = cls(weights_of(model), vocabulary, recipe)
        encoder.model = model
        return encoder

    def refresh(self) -> None:
        """Take up the weights that `model` has now, after it was trained on."""
        self._take(weights_of(self.model))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: what it was made of, and nothing that can be built from that."""
        built = ("_inference", "_on_gpu", "model")
        return {name: value for name, value in vars(self).items() if name not in built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was pickled; arrays from an object store or a memory map are read-only."""
        vars(self).update(state)
        self._take(self.weights)

    def _take(self, weights: Weights) -> None:
        self.weights = weights
        self._inference = Inference(weights, self.recipe.encoder.pooling)

    @cached_property
    def model(self) -> "keras.Model":
        """Build the Keras model: a GPU runs it, and `save` writes it."""
        from siamese.encoder.bilstm_keras import build_encoder

        model, _ = build_encoder(self.recipe.encoder, self.weights.characters)
        model.set_weights(self.weights.flat())
        return model

    @property
    def embedding_dim(self) -> int:
        """Return the size of an embedding."""
        return self.weights.embedding_dim

    @property
    def fingerprint(self) -> str:
        """Name what decides this encoder's embeddings and similarities, as a SHA-256 in hex.

        Two encoders of the same weights, characters and settings of these have the same one,
        whatever their threshold and wherever they are stored. An index keeps it, so that it is
        never searched with another model.
        """
        return fingerprint_of(self.weights, self.vocabulary, self.recipe)

    @property
    def mteb_model_meta(self) -> Any:
        """Describe this encoder to `mteb.evaluate`, which takes it as it is."""
        return model_meta(self.fingerprint, self.weights, self.recipe)

    @cached_property
    def _on_gpu(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Build ids int32 `[batch, time]` -> embeddings `[batch, dim]`; None without a GPU."""
        if not may_have_gpu():
            return None
        from siamese.encoder.keras_tf import tf

        if not tf.config.list_physical_devices("GPU"):
            return None
        model = self.model  # made here, and not while the function is traced
        ids = tf.TensorSpec([None, None], tf.int32)
        function = tf.function(model, [ids], autograph=False)
        return lambda ids: function(ids).numpy()

    def encode(
        self,
        sentences: Any,
        batch_size: int = 512,
        show_progress_bar: bool = False,
        normalize_embeddings: bool = False,
        **others: Any,
    ) -> Any:
        """Encode sentences; the call that users of sentence-transformers and of MTEB make.

        A sentence's embedding does not depend on the others, their order, the batch size or the
        number of threads: on a CPU it has the same bits. An empty sentence's embedding is all
        zeros.

        Args:
            sentences: a sentence, or a list or another ordered collection of sentences; with
                `task_metadata`, as MTEB 2 has it, batches `{"text": [...]}`.
            batch_size: sentences encoded at once, at most; long ones are fewer.
            show_progress_bar: show a bar with the rate and the time left.
            normalize_embeddings: scale every embedding to unit length (zeros stay zeros).
            **others: what such callers pass besides. `truncate_dim`, `precision`,
                `convert_to_tensor` and `convert_to_numpy` do what they do in
                sentence-transformers (`output_form.py`). `device`, `prompt_name`, `prompt_type`,
                `task_name`, `task_metadata`, `hf_split` and `hf_subset` make no difference here;
                `output_value` and `prompt` must ask for what is returned anyway.

        Returns:
            float32 `[len(sentences), dim]`, or `[dim]` for a single sentence; or what was asked
            for.

        Raises:
            TypeError: a sentence is not a string, an argument is unknown, of the wrong type, or
                asks for another result, or for a tensor where torch is not installed.
            ValueError: `batch_size` or `truncate_dim` is not positive, or int8 is asked of one.
        """
        from siamese.progress import progress

        check_others(others)
        batch_size = checked_batch_size(batch_size)
        show_progress_bar = checked_flag("show_progress_bar", show_progress_bar)
        form = output_form(checked_flag("normalize_embeddings", normalize_embeddings), others)
        if isinstance(sentences, str):
            return self.encode([sentences], normalize_embeddings=normalize_embeddings, **others)[0]
        is_mteb = "task_metadata" in others
        sentences = checked_batches(sentences) if is_mteb else checked_sentences(sentences)
        max_length = self.recipe.text.max_length
        embeddings = np.zeros((len(sentences), self.embedding_dim), np.float32)
        # Texts of like length share a batch, so that little is padded; empty ones stay zeros.
        lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
        # And texts that begin alike, whose common beginnings are computed once (`lstm_kernel.py`).
        alike = np.array(sorted(range(len(sentences)), key=sentences.__getitem__), np.int64)
        order = alike[np.argsort(lengths[alike], kind="stable")]
        order = order[lengths[order] > 0]
        if not (on_gpu := self._on_gpu):
            # A share for each core, unless they are so few that starting threads takes longer.
            batch_size = min(batch_size, max(-(-len(order) // cores()), SMALLEST_SHARE))
        batches = batches_of(order, np.minimum(lengths, max_length), batch_size)
        embed = on_gpu or self._inference

        def encode_batch(rows: np.ndarray) -> int:
            ids = self.vocabulary.encode([sentences[row] for row in rows], max_length)
            embeddings[rows] = embed(ids)
            return len(rows)

        with progress("encoding", len(order), "texts", show=show_progress_bar) as advance:
            for count in (map if on_gpu else in_threads)(encode_batch, batches):
                advance(count)
        return form.of(embeddings)

    def save(self, folder: Path | str) -> None:
        """Write the model folder, whole or not at all, in the place of an older one."""
        contents = ModelContents(
            self.weights,
            self.vocabulary,
            self.recipe,
            self.threshold,
            self.metrics,
            self.calibrator,
        )
        write_model_folder(Path(folder), self.model, contents)

    @classmethod
    def load(cls, folder: Path | str) -> "SentenceEncoder":
        """Load a model folder. Nothing in it is unpickled or run.

        Args:
            folder: a path, or a URI such as `s3://bucket/run/best`.

        Raises:
            UserError: a file is missing, or not what was saved.
        """
        with local_model(folder) as here:
            return cls(*read_model_folder(here))
