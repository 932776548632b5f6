"""A safetensors file, read back by the words of its specification."""

import numpy as np
from safetensors_by_hand import read_safetensors

from siamese.export.safetensors_file import write_safetensors


def test_arrays_lie_where_the_header_says(tmp_path) -> None:
    rng = np.random.default_rng(1)
    arrays = {
        "a": rng.normal(size=(3, 2)).astype(np.float32),
        "b.c": rng.normal(size=5).astype(np.float32),
        "turned": rng.normal(size=(4, 3)).astype(np.float32).T,
    }
    path = tmp_path / "model.safetensors"
    write_safetensors(path, arrays)
    found = read_safetensors(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
