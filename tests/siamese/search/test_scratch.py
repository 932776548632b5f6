"""Arrays in files."""

import errno
import os

import numpy as np
import pytest

from siamese.search.scratch import mapped


def test_what_is_written_is_in_the_file(tmp_path):
    array = mapped(tmp_path / "a", (3, 2))
    array[:] = np.arange(6).reshape(3, 2)
    array.flush()
    assert np.fromfile(tmp_path / "a", np.float32).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space") as raised:
        mapped(tmp_path / "a", (3, 2))
    assert raised.value.filename == str(tmp_path / "a")
