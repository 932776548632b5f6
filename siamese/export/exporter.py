"""An exporter: writes an encoder in a format of others, so that its embeddings stay the same."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from siamese.config.parts import load_part
from siamese.data.pair import Pair
from siamese.encoder.sentence_encoder import SentenceEncoder

# Texts -> embeddings, float32 `[texts, dim]`.
Encode = Callable[[Sequence[str]], np.ndarray]


class ExportOptions(NamedTuple):
    """What can be asked of an exporter.

    Attributes:
        int8: to quantise weights to 8 bits; embeddings are then no longer the same.
        pairs: labelled, to measure on what that loses; none: on texts drawn from the vocabulary.
    """

    int8: bool = False
    pairs: Sequence[Pair] = ()


class Exporter(Protocol):
    """Writes an encoder, and loads what it wrote as others do."""

    def write(self, encoder: SentenceEncoder, folder: Path) -> dict[str, Any]:
        """Write an encoder into an empty folder, and check as far as can be that it is the same.

        Returns:
            What is kept in the folder's `export.json` beside what every export has there; a line
            for the user under `notes`.

        Raises:
            UserError: what was written gives other embeddings.
        """
        ...

    def load(self, folder: Path) -> Encode:
        """Load what `write` wrote, without any code or file of this project."""
        ...


def build_exporter(name: str, options: ExportOptions) -> Exporter:
    """Make the exporter of a name, such as `onnx` or `sentence-transformers`.

    Raises:
        UserError: there is no such exporter, it needs a package that is missing, or an option has
            no effect with it.
    """
    exporter: Exporter = load_part("exporter", name.replace("-", "_"))(options)
    return exporter
