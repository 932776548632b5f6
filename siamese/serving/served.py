"""The model and the index that are served, kept as new as what lies on disk."""

from pathlib import PurePosixPath
from typing import Any

from siamese.encoder.model_folder import MANIFEST
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError, in_words
from siamese.serving.desk import Desk
from siamese.storage.folder import Folder


class Served:
    """Holds a desk, and puts another in its place when the model or the index was replaced.

    A new model and a new index go together or not at all: while one of them is damaged, or was not
    made for the other, the old ones stay.

    Attributes:
        desk: answers requests; another object after a change.
        problem: why what lies on disk is not served, or nothing.

    Args:
        model: a model folder or its URI.
        index: an index folder or its URI, if there is one.

    Raises:
        UserError: one of them cannot be used.
    """

    def __init__(self, model: str, index: str | None = None) -> None:
        self._model = model
        self._index = index
        self._seen = self._look()
        self.desk = self._load()
        self.problem = ""

    def refresh(self) -> bool:
        """Load what is on disk if it is not what is served; say whether it took over."""
        seen = self._look()
        if seen is None:
            return False
        if seen == self._seen:
            self.problem = ""
            return False
        try:
            desk = self._load()
        except (UserError, OSError) as error:
            self.problem = in_words(error)  # perhaps still being copied: it is tried again
            return False
        self.desk, self.problem, self._seen = desk, "", seen
        return True

    def status(self) -> dict[str, Any]:
        """Say what answers, and why what lies on disk does not."""
        return {**self.desk.status(), "problem": self.problem}

    def _load(self) -> Desk:
        encoder = SentenceEncoder.load(self._model)
        index = None
        if self._index is not None:
            from siamese.search.index import Index

            index = Index.open(self._index, encoder)
        return Desk(encoder, index, name_of(self._model))

    def _look(self) -> list[bytes] | None:
        """Read the manifests, which differ when anything does; None: they are being replaced."""
        found = []
        for location in filter(None, (self._model, self._index)):
            try:
                with Folder(location).open(MANIFEST) as stream:
                    found.append(stream.read())
            except OSError:
                return None
        return found


def name_of(model: str) -> str:
    """Call a model by its folder, and the model of a run by the run's too: `run/best`."""
    parts = PurePosixPath(model.partition("?")[0].rstrip("/")).parts
    return "/".join(parts[-2:] if parts[-1:] == ("best",) else parts[-1:]) or model
