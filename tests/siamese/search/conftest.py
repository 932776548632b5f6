"""An index, for several files of tests."""

import pytest
from compared_index import TEXTS, encoder

from siamese import Index


@pytest.fixture
def index(tmp_path) -> Index:
    return Index.build(TEXTS[:50], encoder(), tmp_path / "index", threshold=0.5)
