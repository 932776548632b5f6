"""Changes to a model folder that its manifest agrees with, as a stranger would make them."""

import io
import json
import zipfile

import h5py

from siamese.encoder.model_folder import CHECKED_FILES
from siamese.storage.atomic import sha256_of

WEIGHTS, KERNEL = "model.weights.h5", "layers/bidirectional/forward_layer/cell/vars/0"
EMBEDDING = "layers/embedding/vars/0"


def sign(folder) -> None:
    """Write a manifest that agrees with the files."""
    checksums = {name: sha256_of(folder / name) for name in CHECKED_FILES}
    content = {"version": 1, "sha256": checksums, "files": ["../../etc/passwd"]}
    (folder / "manifest.json").write_text(json.dumps(content))


def put(folder, name: str, content: str | bytes) -> None:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    sign(folder)


def alter(folder, name: str, **values) -> None:
    put(folder, name, json.dumps({**json.loads((folder / name).read_text()), **values}))


def put_weights(folder, content: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    path = folder / "encoder.keras"
    with zipfile.ZipFile(path) as archive:
        others = {n: archive.read(n) for n in archive.namelist() if n != WEIGHTS}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, value in {**others, WEIGHTS: content}.items():
            archive.writestr(name, value)
    sign(folder)


def alter_weights(folder, change) -> None:
    """Change the HDF5 file within."""
    with zipfile.ZipFile(folder / "encoder.keras") as archive:
        content = io.BytesIO(archive.read(WEIGHTS))
    with h5py.File(content, "a") as file:
        change(file)
    put_weights(folder, content.getvalue())
