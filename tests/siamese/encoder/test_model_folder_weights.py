"""Weights from strangers: arrays and archives that are refused, and no other file is read."""

import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from model_folders import EMBEDDING, KERNEL, WEIGHTS, alter_weights, put, put_weights

from siamese import SentenceEncoder, UserError


def other_file(tmp_path) -> h5py.File:
    """Another file, with an embedding of the right shape."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.ones((50, 6), np.float32)
    return path


def virtual(file, path) -> None:
    layout = h5py.VirtualLayout((50, 6), "f4")
    layout[:] = h5py.VirtualSource(str(path), "numbers", (50, 6))
    file.create_virtual_dataset(EMBEDDING, layout)


REPLACED = {
    "link to another file": lambda f, p: f.__setitem__(
        EMBEDDING, h5py.ExternalLink(str(p), "numbers")
    ),
    "link within the file": lambda f, _: f.__setitem__(EMBEDDING, h5py.SoftLink("/" + KERNEL)),
    "link to itself": lambda f, _: f.__setitem__(EMBEDDING, h5py.SoftLink("/" + EMBEDDING)),
    "link that leads nowhere": lambda f, _: f.__setitem__(EMBEDDING, h5py.SoftLink("../../x")),
    "numbers in another file": lambda f, p: f.create_dataset(
        EMBEDDING, (50, 6), "f4", external=[(str(p), 0, h5py.h5f.UNLIMITED)]
    ),
    "virtual": virtual,
    "compressed": lambda f, _: f.create_dataset(
        EMBEDDING, data=np.zeros((50, 6), "f4"), compression="gzip"
    ),
    "huge, and not there": lambda f, _: f.create_dataset(
        EMBEDDING, (1 << 40, 6), "f4", chunks=(1024, 6)
    ),
    "huge, and filled": lambda f, _: f.create_dataset(
        EMBEDDING, (1 << 40, 6), "f4", chunks=(1024, 6), fillvalue=1
    ),
    "not there": lambda f, _: f.create_dataset(EMBEDDING, (50, 6), "f4"),
    "empty": lambda f, _: f.create_dataset(EMBEDDING, dtype="f4"),
    "a single number": lambda f, _: f.create_dataset(EMBEDDING, data=np.float32(1)),
    "without rows": lambda f, _: f.create_dataset(EMBEDDING, data=np.zeros((0, 6), "f4")),
    "of three dimensions": lambda f, _: f.create_dataset(EMBEDDING, data=np.ones((5, 10, 6), "f4")),
    "of other rows": lambda f, _: f.create_dataset(EMBEDDING, data=np.ones((49, 6), "f4")),
    "of another width": lambda f, _: f.create_dataset(EMBEDDING, data=np.ones((50, 7), "f4")),
    "float64": lambda f, _: f.create_dataset(EMBEDDING, data=np.ones((50, 6))),
    "whole numbers": lambda f, _: f.create_dataset(EMBEDDING, data=np.ones((50, 6), int)),
    "texts": lambda f, _: f.create_dataset(EMBEDDING, data=np.array([["a"] * 6] * 50, "O")),
    "references": lambda f, _: f.create_dataset(EMBEDDING, (50, 6), h5py.ref_dtype),
    "NaN": lambda f, _: f.create_dataset(EMBEDDING, data=np.full((50, 6), np.nan, "f4")),
    "infinity": lambda f, _: f.create_dataset(EMBEDDING, data=np.full((50, 6), np.inf, "f4")),
    "a group": lambda f, _: f.create_group(EMBEDDING),
    "a type": lambda f, _: f.__setitem__(EMBEDDING, np.dtype("f4")),
}


@pytest.mark.parametrize("kind", REPLACED)
def test_an_array_that_is_not_plain_numbers_in_the_file_is_refused(folder, tmp_path, kind) -> None:
    path = other_file(tmp_path)

    def change(file) -> None:
        del file[EMBEDDING]
        REPLACED[kind](file, path)

    alter_weights(folder, change)
    tracemalloc.start()
    with pytest.raises(UserError, match=r"encoder\.keras: not the weights|not of this vocabulary"):
        SentenceEncoder.load(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24


@pytest.mark.parametrize("group", ["layers", "layers/embedding", "layers/bidirectional"])
@pytest.mark.parametrize("kind", ["missing", "numbers", "link to another file"])
def test_a_group_that_is_none_is_refused(folder, tmp_path, group, kind) -> None:
    def change(file) -> None:
        del file[group]
        if kind == "numbers":
            file[group] = np.ones(3)
        elif kind == "link to another file":
            file[group] = h5py.ExternalLink(str(other_file(tmp_path)), "/")

    alter_weights(folder, change)
    with pytest.raises(UserError, match=r"not the weights of an encoder"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("shape", [(6, 31), (5, 32), (6,), ()])
def test_arrays_that_do_not_fit_each_other_are_refused(folder, shape) -> None:
    def change(file) -> None:
        del file[KERNEL]
        file[KERNEL] = np.ones(shape, np.float32)

    alter_weights(folder, change)
    with pytest.raises(UserError, match="not the weights of an encoder"):
        SentenceEncoder.load(folder)


def test_attributes_are_not_looked_at(folder) -> None:
    import pickle

    expected = SentenceEncoder.load(folder).encode("一丁").tobytes()
    evil = b"cos\nsystem\n(S'touch /tmp/never'\ntR."

    def change(file) -> None:
        file.attrs["pickle"] = np.void(evil + pickle.dumps(1))
        file[EMBEDDING].attrs["ref"] = file.ref

    alter_weights(folder, change)
    assert SentenceEncoder.load(folder).encode("一丁").tobytes() == expected


def test_a_compressed_archive_is_refused_before_it_is_unpacked(folder) -> None:
    put_weights(folder, bytes(1 << 26), zipfile.ZIP_DEFLATED)  # 64 MiB in 64 KiB
    tracemalloc.start()
    with pytest.raises(UserError, match="compressed"):
        SentenceEncoder.load(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24


@pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_archive_is_refused(folder, content) -> None:
    put(folder, "encoder.keras", content)
    with pytest.raises(UserError, match="not the weights of an encoder"):
        SentenceEncoder.load(folder)


def test_an_encrypted_archive_is_refused(folder) -> None:
    content = bytearray((folder / "encoder.keras").read_bytes())
    for header, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = 0
        while (start := content.find(header, start)) >= 0:
            content[start + flags] |= 1
            start += 4
    put(folder, "encoder.keras", bytes(content))
    with pytest.raises(UserError, match="not the weights of an encoder"):
        SentenceEncoder.load(folder)


def test_weights_cut_or_altered_anywhere_are_refused_or_load(folder) -> None:
    with zipfile.ZipFile(folder / "encoder.keras") as archive:
        whole = archive.read(WEIGHTS)
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        for place in random.integers(0, min(len(whole), 4000), 3):
            content[place] = random.integers(256)
        put_weights(folder, bytes(content[: random.integers(1, len(whole) * 2)]))
        try:
            SentenceEncoder.load(folder)
        except UserError:
            refused += 1
    assert refused > 50
