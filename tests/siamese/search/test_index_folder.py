"""An index that was cut, altered or is of another version is refused; nothing of it is run."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_encoder import small_encoder
from small_index import some_texts

from siamese import Index, UserError
from siamese.search import index_folder
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import Manifest, Record

MANIFEST = "manifest.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("index") / "index"
    built = Index.build(some_texts(40), small_encoder(), folder)
    built.add(some_texts(6, seed=2))
    built.remove(["3", "41"])
    return folder


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "index"))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        Index.open(folder, small_encoder())
    return str(error.value)


def test_the_manifest_names_all_files(whole) -> None:
    manifest = IndexFolder(whole).read()
    assert manifest.names == {path.name for path in whole.iterdir()} - {MANIFEST}
    assert [(record.rows, record.deleted) for record in manifest.segments] == [(40, 1), (6, 1)]
    for record in manifest.segments:
        for name, (size, checksum) in record.files.items():
            data = (whole / name).read_bytes()
            assert (size, checksum) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    "ending", ["embeddings.npy", "entries.arrow", "ids.npy", "deleted-3.npy", MANIFEST]
)
@pytest.mark.parametrize("damage", ["cut", "altered", "longer", "empty", "removed"])
def test_a_damaged_file_is_refused_by_its_name(folder, ending, damage) -> None:
    path = next(path for path in sorted(folder.iterdir()) if path.name.endswith(ending))
    data = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        half = len(data) // 2
        changed = bytes([data[half] ^ 1])
        path.write_bytes(
            {
                "cut": data[:-3],
                "altered": data[:half] + changed + data[half + 1 :],
                "longer": data + b"\0",
                "empty": b"",
            }[damage]
        )
    message = refusal(folder)
    if damage == "longer" and ending == MANIFEST:
        assert "damaged (Extra data" in message
    assert str(folder) in message and ending in message


def test_large_files_are_held_against_their_size(folder, monkeypatch) -> None:
    monkeypatch.setattr(index_folder, "CHECKED_BYTES", 100)
    path = next(folder.glob("*1.embeddings.npy"))
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\0")
    assert len(Index.open(folder, small_encoder())) == 44
    with path.open("ab") as file:
        file.write(b"\0")
    assert "truncated or altered" in refusal(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", 2, "of version 2, this release reads 1"),
        ("schema_version", None, "of version None, this release reads 1"),
        ("index", "other", "not of an index"),
        ("threshold", 0.1, "truncated or altered"),
        ("fingerprint", "0" * 64, "truncated or altered"),
        ("segments", [], "truncated or altered"),
        ("segments", 7, "truncated or altered"),
        ("more", 7, "truncated or altered"),
        ("sha256", "0" * 64, "truncated or altered"),
    ],
)
def test_another_manifest_is_refused(folder, key, value, message) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**content, key: value}))
    assert message in refusal(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"version": 1}', "[" * 100_000])
def test_what_is_no_manifest_is_refused(folder, content) -> None:
    (folder / MANIFEST).write_text(content)
    assert MANIFEST in refusal(folder)


def test_a_folder_that_is_none_is_refused(tmp_path) -> None:
    assert "gone: no such index" in refusal(tmp_path / "gone")
    (tmp_path / "letter.txt").write_text("x")
    assert "not an index, manifest.json is missing" in refusal(tmp_path)
    assert "no such index" in refusal(tmp_path / "letter.txt")


def test_a_link_out_of_the_folder_is_refused(folder, tmp_path) -> None:
    path = next(folder.glob("*1.embeddings.npy"))
    path.rename(tmp_path / "elsewhere.npy")
    path.symlink_to(tmp_path / "elsewhere.npy")
    assert f"{path.name}: a link out of the folder" in refusal(folder)


def forge(folder: Path, manifest: Manifest, **changes) -> None:
    """Write a manifest as its forger would: with a checksum that is right."""
    (folder / MANIFEST).write_bytes(replace(manifest, **changes).to_bytes())


def test_a_forged_manifest_leads_nowhere_else(folder, tmp_path) -> None:
    secret = tmp_path / "secret.npy"
    np.save(secret, np.zeros((40, 12), np.float32))
    manifest = IndexFolder(folder).read()
    first = manifest.segments[0]
    size, checksum = secret.stat().st_size, hashlib.sha256(secret.read_bytes()).hexdigest()
    for name in ("../secret.npy", str(secret), "segment-00000001.embeddings.npy/../secret.npy"):
        files = {**first.files, name: (size, checksum)}
        forge(folder, manifest, segments=(replace(first, files=files),))
        assert "truncated or altered" in refusal(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": "0.1"},
        {"similarity": "other"},
        {"dim": 13},
        {"dim": -1},
        {"model": 7},
        {"made": 1.5},
    ],
)
def test_a_forged_manifest_is_of_the_right_types(folder, changes) -> None:
    forge(folder, IndexFolder(folder).read(), **changes)
    refusal(folder)


@pytest.mark.parametrize("rows", [39, 41, 10**15, True])
def test_a_forged_number_of_rows_is_not_believed(folder, rows) -> None:
    manifest = IndexFolder(folder).read()
    first, *others = manifest.segments
    forge(folder, manifest, segments=(replace(first, rows=rows), *others))
    refusal(folder)


@pytest.mark.parametrize(
    ("ending", "array"),
    [
        ("embeddings.npy", np.zeros((40, 12))),
        ("embeddings.npy", np.array([[{}]] * 40, object)),
        ("ids.npy", np.zeros((40, 2), np.uint64)),
        ("deleted-3.npy", np.array([40])),
        ("deleted-3.npy", np.array([1.0])),
    ],
)
def test_arrays_of_other_kinds_are_refused_and_objects_not_loaded(folder, ending, array) -> None:
    manifest = IndexFolder(folder).read()
    first, *others = manifest.segments
    name = f"{first.name}.{ending}"
    np.save(folder / name, array, allow_pickle=True)
    data = (folder / name).read_bytes()
    files = {**first.files, name: (len(data), hashlib.sha256(data).hexdigest())}
    forge(folder, manifest, segments=(replace(first, files=files), *others))
    assert "segment-00000001 is damaged" in refusal(folder)


def test_a_version_differs_with_every_change() -> None:
    state = Manifest("f", None, "cosine", 12, 0.5)
    segment = Record("segment-00000001", 1, 0, {})
    versions = [
        replace(state, commits=commits, segments=segments).version
        for commits in (1, 2)
        for segments in ((), (segment,))
    ]
    assert len(set(versions)) == 4
