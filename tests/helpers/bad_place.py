"""A folder with one of everything that commands take, and ways to damage it."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from report_run import make_run

from siamese.data.sharding import make_data_set

GROUPS = {str(i): [f"第{i}个问题", f"问题{i}"] for i in range(8)}
DEV = "怎么办卡\t如何办卡\t1\n怎么办卡\t怎么销卡\t0\n"
VECTORS = "2 2\n怎 1 2\n么 3 4\n"

# Prepares what a row needs in the place.
Damage = Callable[[Path], Any]


def make_place(place: Path) -> None:
    """Fill a folder: `groups.json`, `dev.tsv`, `texts.txt`, `data/`, `run/` with `run/best`, …"""
    place.mkdir()
    (place / "groups.json").write_text(json.dumps(GROUPS), encoding="utf-8")
    (place / "dev.tsv").write_text(DEV, encoding="utf-8")
    (place / "texts.txt").write_text("怎么办卡\n如何办卡\n", encoding="utf-8")
    (place / "vectors.txt").write_text(VECTORS, encoding="utf-8")
    make_data_set([str(place / "groups.json")], place / "data")
    make_run(place / "run", [], epochs=1)
    (place / "model").symlink_to("run/best")


def snapshot(folder: Path) -> dict[str, tuple[int, int] | str]:
    """Every file, folder and link below a folder: its size and time, or what it is."""
    found: dict[str, tuple[int, int] | str] = {}
    for path in sorted(folder.rglob("*")):
        name, stat = str(path.relative_to(folder)), path.lstat()
        if path.is_symlink():
            found[name] = f"a link to {path.readlink()}"
        else:
            found[name] = "a folder" if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
    return found


def put(name: str, content: bytes | str) -> Damage:
    """Write a file."""

    def damage(place: Path) -> None:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return damage


def link(name: str, target: str) -> Damage:
    """Make a symbolic link in the place of a file or folder."""

    def damage(place: Path) -> None:
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(target)

    return damage


def add(name: str, content: bytes | str) -> Damage:
    """Add to the end of a file."""

    def damage(place: Path) -> None:
        with (place / name).open("ab") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)

    return damage


def both(*damages: Damage) -> Damage:
    """Do one after the other."""

    def damage(place: Path) -> None:
        for each in damages:
            each(place)

    return damage


def sign_model(place: Path) -> None:
    """Write the checksums of a model's files as they are now, as a stranger would."""
    model = place / "run/best"
    manifest = json.loads((model / "manifest.json").read_text())
    for name in manifest["sha256"]:
        if (model / name).is_file():
            manifest["sha256"][name] = sha256((model / name).read_bytes()).hexdigest()
    (model / "manifest.json").write_text(json.dumps(manifest))


def model_file(name: str, content: bytes | str) -> Damage:
    """Replace a file of the model, with a checksum that fits."""
    return both(put(f"run/best/{name}", content), sign_model)


def metrics_with(**changes: Any) -> Damage:
    """Change values of the model's metrics.json (`...`: remove), with a checksum that fits."""

    def damage(place: Path) -> None:
        path = place / "run/best/metrics.json"
        values = json.loads(path.read_text()) | changes
        values = {key: value for key, value in values.items() if value is not ...}
        path.write_text(json.dumps(values))
        sign_model(place)

    return damage


def weights(change: Callable[[h5py.File], Any]) -> Damage:
    """Change the HDF5 file in the model's `encoder.keras`, with a checksum that fits."""

    def damage(place: Path) -> None:
        path = place / "run/best/encoder.keras"
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        buffer = io.BytesIO(members["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            change(file)
        members["model.weights.h5"] = buffer.getvalue()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        sign_model(place)

    return damage


def replaced(name: str, value: Any) -> Callable[[h5py.File], Any]:
    """Put another thing in the place of an array: `huge`, `group`, or an array."""

    def change(file: h5py.File) -> None:
        del file[name]
        if isinstance(value, str) and value == "huge":
            file.create_dataset(name, (1 << 26, 4), "f4", chunks=(1024, 4))
        elif isinstance(value, str):
            file.create_group(name)
        else:
            file[name] = value

    return change


def zip_bomb(place: Path) -> None:
    """A model whose weights are 3 GiB of zeros in 3 MB, with a checksum that fits.

    It is put together of equal blocks, which takes no time.
    """
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    content = block * (3 << 6) + packer.flush()
    name = b"model.weights.h5"
    sizes = struct.pack("<IIIHH", 0, len(content), 3 << 30, len(name), 0)
    head = struct.pack("<HHHHH", 20, 0, 8, 0, 33)
    entry = b"PK\1\2" + struct.pack("<H", 20) + head + sizes + struct.pack("<HHHII", 0, 0, 0, 0, 0)
    start = b"PK\3\4" + head + sizes + name + content
    count, length = struct.pack("<HHHH", 0, 0, 1, 1), len(entry + name)
    end = b"PK\5\6" + count + struct.pack("<IIH", length, len(start), 0)
    (place / "run/best/encoder.keras").write_bytes(start + entry + name + end)
    sign_model(place)


def manifest_with(**changes: Any) -> Damage:
    """Change the data set's manifest; those of its file's entry begin with `file_`."""

    def damage(place: Path) -> None:
        path = place / "data/manifest.json"
        manifest = json.loads(path.read_text())
        for key, value in changes.items():
            entry = manifest["files"][0] if key.startswith("file_") else manifest
            entry[key.removeprefix("file_")] = value
        path.write_text(json.dumps(manifest))

    return damage


def shard_with(content: bytes | None = None, **columns: Any) -> Damage:
    """Replace the data set's shard, with a checksum that fits."""

    def damage(place: Path) -> None:
        path = place / "data/part-00000.parquet"
        if content is None:
            pq.write_table(pa.table(columns), path)
        else:
            path.write_bytes(content)
        manifest_with(file_sha256=sha256(path.read_bytes()).hexdigest())(place)

    return damage


def npy(array: np.ndarray) -> bytes:
    """An array as a file of numpy."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(**files: bytes) -> bytes:
    """A zip of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()
