"""A model folder of this project as a module of sentence-transformers.

`modules.json` in every model folder names the class here, so that `SentenceTransformer("RUN/best",
trust_remote_code=True)` loads it where this package is installed; before release 6.0 of
sentence-transformers also without the flag. Needs the extra `sentence-transformers`.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

try:
    from sentence_transformers.base.modules import InputModule
except ImportError:  # before release 6.0
    from sentence_transformers.models import InputModule

from siamese.encoder.model_folder import SENTENCE_TRANSFORMERS
from siamese.encoder.sentence_encoder import SentenceEncoder


class SiameseModelFolder(InputModule):
    """Encodes texts with a `SentenceEncoder`: to the bit what that gives on the same machine.

    It cannot be trained here: embeddings come without gradients.

    Args:
        encoder: that is called.
    """

    def __init__(self, encoder: SentenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    @property
    def max_seq_length(self) -> int:
        """Return how many characters of a text are read."""
        return self.encoder.recipe.text.max_length

    def get_embedding_dimension(self) -> int:
        """Return the size of an embedding."""
        return self.encoder.embedding_dim

    # Its name before release 5.4.
    get_sentence_embedding_dimension = get_embedding_dimension

    def preprocess(
        self, inputs: Sequence[str], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Keep the texts as they are, with the prompt before each."""
        return {"texts": [(prompt or "") + text for text in inputs]}

    def tokenize(self, texts: Sequence[str], **kwargs: Any) -> dict[str, Any]:
        """Do what `preprocess` does, for releases before 6.0."""
        return self.preprocess(texts)

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Add `sentence_embedding`, float32 `[texts, dim]`."""
        texts = features["texts"]
        embeddings = self.encoder.encode(texts, batch_size=max(len(texts), 1))
        features["sentence_embedding"] = torch.from_numpy(embeddings)
        return features

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        """Write the files of a model folder; what sentence-transformers writes itself is left out.

        Args:
            output_path: a folder that is there.
            *args: make no difference.
            **kwargs: make no difference.
        """
        with tempfile.TemporaryDirectory(prefix="siamese-model-") as temporary:
            model = Path(temporary) / "model"
            self.encoder.save(model)
            for path in model.iterdir():
                if path.name not in ("modules.json", SENTENCE_TRANSFORMERS, "README.md"):
                    shutil.copyfile(path, Path(output_path) / path.name)

    @classmethod
    def load(cls, model_name_or_path: str, **kwargs: Any) -> "SiameseModelFolder":
        """Load a model folder of this machine; `SentenceEncoder.load` checks it.

        Args:
            model_name_or_path: the folder.
            **kwargs: make no difference.
        """
        return cls(SentenceEncoder.load(model_name_or_path))
