"""The laws of exporters: a user's passes, broken ones are caught.

Ours are checked in `tests/siamese/export/exporters/`.
"""

import pickle
from pathlib import Path

import numpy as np
import pytest
from broken_laws import broken

from siamese.testing import check_exporter, exporters, laws
from siamese.testing.exporters import make_encoder as make_sentence_encoder


class Pickled:
    """A user's: the whole encoder in a file."""

    def write(self, encoder, folder):
        (folder / "encoder").write_bytes(pickle.dumps(encoder))
        return {"notes": []}

    def load(self, folder):
        return pickle.loads((folder / "encoder").read_bytes()).encode


class Lower(Pickled):
    """Folds case as a tokenizer's `Lowercase` does."""

    def load(self, folder):
        encode = super().load(folder)
        return lambda texts: encode([text.lower().replace("ß", "?") for text in texts])


class Elsewhere(Pickled):
    """Remembers where it wrote."""

    def write(self, encoder, folder):
        (folder / "where").write_text(str(folder))
        return super().write(encoder, folder)

    def load(self, folder):
        return super().load(Path((folder / "where").read_text()))


class Padded(Pickled):
    """Lets the longest text of a batch change the others."""

    def load(self, folder):
        encode = super().load(folder)
        return lambda texts: encode(texts) + np.float32(1e-4 * (max(map(len, texts)) < 9))


def test_an_exporter_of_a_users_own_keeps_the_laws_and_broken_ones_are_caught() -> None:
    check_exporter(Pickled, ["mean"])
    encoder = make_sentence_encoder("mean")
    assert broken(lambda: exporters.saved_equals_loaded(Lower, encoder)) == {laws.SAVED}
    exporters.padding_and_order_change_nothing(Lower, encoder)
    with pytest.raises(FileNotFoundError):
        exporters.saved_equals_loaded(Elsewhere, encoder)
    assert broken(lambda: exporters.padding_and_order_change_nothing(Padded, encoder)) == {
        laws.ORDER
    }
    exporters.saved_equals_loaded(Padded, encoder)
