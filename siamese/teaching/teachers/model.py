"""`MODEL_FOLDER`: a model of this project, at a path or URI.

Its name has the checksum of the model and not the folder's: another model in the same place is
another teacher.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from siamese.encoder.model_folder import MANIFEST, check_model_folder, local_model
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of
from siamese.storage.filesystem import absolute


class Model:
    """Encodes with a model folder.

    Args:
        location: of the folder, a path or URI.

    Raises:
        UserError: it is no whole model folder.
    """

    def __init__(self, location: str) -> None:
        self.location = absolute(location)
        with local_model(location) as folder:
            check_model_folder(folder)
            self.name = f"model sha256:{sha256_of(folder / MANIFEST)}"

    @cached_property
    def _encoder(self) -> SentenceEncoder:
        with local_model(self.location) as folder:
            if self.name != f"model sha256:{sha256_of(folder / MANIFEST)}":
                raise UserError(f"{self.location}: another model than when the work began.")
            return SentenceEncoder.load(folder)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the embeddings of texts."""
        return self._encoder.encode(list(texts))


def build(argument: str) -> Model:
    """Make the teacher of a model folder."""
    if not argument:
        raise UserError("--teacher model: give the folder, model:FOLDER.")
    return Model(argument)
