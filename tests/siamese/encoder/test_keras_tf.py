"""What the import of TensorFlow and Keras leaves as it was."""

import gc

import pytest

from siamese.encoder.keras_tf import _without_collecting


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_not_looked_for_meanwhile_and_then_as_before(collects) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(ImportError), _without_collecting():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()
