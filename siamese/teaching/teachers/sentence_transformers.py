"""`sentence-transformers:NAME_OR_FOLDER`: any model that sentence-transformers loads.

Needs the extra `sentence-transformers`. Models that want code of their own to be run are refused,
as sentence-transformers does without `trust_remote_code`.
"""

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from siamese.errors import UserError


class SentenceTransformers:
    """Encodes with a model of sentence-transformers.

    Args:
        model: its name, or its folder.

    Raises:
        UserError: the package is not installed.
    """

    def __init__(self, model: str) -> None:
        self.name = f"sentence-transformers:{model}"
        if find_spec("sentence_transformers") is None:
            raise UserError(
                f"--teacher {self.name} needs the package sentence-transformers: "
                "pip install 'siamese-ray[sentence-transformers]'"
            )
        folder = Path(model).expanduser()
        # A worker is in another folder.
        self._model_name = str(folder.absolute()) if folder.is_dir() else model

    @cached_property
    def _model(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self._model_name)
        except Exception as error:  # of many kinds: no such name, no network, a damaged file
            reason = " ".join(str(error).split())
            raise UserError(f"--teacher {self.name}: cannot be loaded ({reason})") from None

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the embeddings of texts, float32 `[len(texts), dim]`."""
        return self._model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True)


def build(argument: str) -> SentenceTransformers:
    """Make the teacher of a model."""
    if not argument:
        raise UserError(
            "--teacher sentence-transformers: give the model, sentence-transformers:NAME_OR_FOLDER."
        )
    return SentenceTransformers(argument)
