"""Model folders from strangers: refused in a sentence or harmless, and no other file is read."""

import ast
import importlib.util
import io
import json
import os
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from encoders import make

from siamese import SentenceEncoder, UserError
from siamese.config.loading import load_recipe
from siamese.encoder.model_folder import CHECKED_FILES, sentence_transformers_config
from siamese.encoder.weights import weights_of
from siamese.storage.atomic import sha256_of
from siamese.text.vocabulary import Vocabulary

WEIGHTS, KERNEL = "model.weights.h5", "layers/bidirectional/forward_layer/cell/vars/0"
EMBEDDING = "layers/embedding/vars/0"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model of 50 ids, 6 numbers a character, 8 units, and attention."""
    _, model, *_ = make((8,), "attention")
    settings = ["embedding_dim=6", "lstm_units=[8]", "pooling=attention", "attention_heads=3"]
    recipe = load_recipe("fast", [f"encoder.{setting}" for setting in settings])
    vocabulary = Vocabulary({chr(0x4E00 + n): 100 - n for n in range(48)})
    folder = tmp_path_factory.mktemp("saved") / "model"
    encoder = SentenceEncoder(weights_of(model), vocabulary, recipe, 0.5, {"accuracy": 0.75})
    encoder.model = model
    encoder.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


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


def test_the_untouched_folder_loads_and_a_manifest_cannot_name_other_files(folder) -> None:
    expected = SentenceEncoder.load(folder).encode("一丁")
    sign(folder)
    assert SentenceEncoder.load(folder).encode("一丁").tobytes() == expected.tobytes()
    assert expected.any()


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


@pytest.mark.parametrize("name", [*CHECKED_FILES, "manifest.json"])
def test_a_link_out_of_the_folder_is_refused(folder, tmp_path, name) -> None:
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=f"{name}: a link out of the folder"):
        SentenceEncoder.load(folder)


def test_links_to_the_folder_and_within_it_are_followed(folder, tmp_path) -> None:
    (folder / "recipe.yaml").rename(folder / "own.yaml")
    (folder / "recipe.yaml").symlink_to("own.yaml")
    (tmp_path / "link").symlink_to(folder)
    assert SentenceEncoder.load(tmp_path / "link").threshold == 0.5


@pytest.mark.parametrize("name", [*CHECKED_FILES, "manifest.json"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_missing(folder, name, kind) -> None:
    (folder / name).unlink()
    if kind == "folder":
        (folder / name).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / name)  # would be waited for
    else:
        (folder / name).symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"{name} is missing"):
        SentenceEncoder.load(folder)


def test_a_file_in_place_of_the_folder_is_refused(folder) -> None:
    with pytest.raises(UserError, match="not a model folder"):
        SentenceEncoder.load(folder / "recipe.yaml")


@pytest.mark.parametrize("name", ["manifest.json", "metrics.json", "vocabulary.json"])
def test_json_nested_too_deep_is_damaged(folder, name) -> None:
    deep = "[" * 200_000 + "]" * 200_000
    put(folder, "metrics.json" if name == "manifest.json" else name, deep)
    if name == "manifest.json":
        (folder / name).write_text(deep)
    with pytest.raises(UserError, match=f"{name}: damaged"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize(
    "name", ["manifest.json", "metrics.json", "recipe.yaml", "vocabulary.json"]
)
def test_an_enormous_file_is_not_read(folder, name) -> None:
    with (folder / name).open("wb") as file:
        file.truncate((1 << 26) + 1)  # a hole
    if name != "manifest.json":
        sign(folder)
    with pytest.raises(UserError, match=f"{name}: larger than"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("threshold", [None, "0.5", True, float("nan"), float("inf"), [0.5]])
def test_a_threshold_is_a_number(folder, threshold) -> None:
    alter(folder, "metrics.json", threshold=threshold)
    with pytest.raises(UserError, match=r"metrics\.json: threshold is no number"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"threshold": 1, "accuracy": "<b>"}', "x"])
def test_metrics_are_figures_by_name(folder, content) -> None:
    put(folder, "metrics.json", content)
    with pytest.raises(UserError, match=r"metrics\.json"):
        SentenceEncoder.load(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"characters": "ab", "counts": [2, 1]},  # fewer than the weights have
        {"characters": ["a", "b"], "counts": [2, 1]},
        {"characters": "ab", "counts": [2]},
        {"characters": "ab", "counts": [2.5, "1"]},
        {"characters": "ab", "counts": [1, 2]},  # not in order: ids would be others
        {"characters": "ab", "counts": [1, 0]},
        {"characters": "ab", "counts": [True, True]},
        {"characters": "aa", "counts": [1, 1]},
        {"characters": "ab", "counts": 3},
        {"characters": None},
        {"lowercase": "yes"},
        {"lowercase": True, "characters": "Aa", "counts": [1, 1]},
        {"version": 2},
    ],
)
def test_a_vocabulary_of_something_else_is_refused(folder, values) -> None:
    alter(folder, "vocabulary.json", **values)
    with pytest.raises(UserError, match="vocabulary"):
        SentenceEncoder.load(folder)


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "recipe",
    [
        BOMB,
        MERGES,
        "a: &a [*a]",
        "[" * 5000,
        "seed: !!python/object/apply:os.system ['touch never']",
        "seed: !!python/name:os.system",
        "seed: !include /etc/passwd",
        "seed: " + "9" * 10_000,
        "- 1",
        "\0",
        "encoder: {lstm_units: [9]}",
        "encoder: {pooling: mean}",
        "text: {max_length: -1}",
    ],
    ids=lambda recipe: recipe[:30],
)
def test_a_recipe_that_is_none_or_of_another_model_is_refused(folder, tmp_path, recipe) -> None:
    put(folder, "recipe.yaml", recipe)
    with pytest.raises(UserError, match="recipe") as error:
        SentenceEncoder.load(folder)
    assert len(str(error.value)) < 3000


def test_sentence_transformers_is_told_a_class_that_is_there(saved) -> None:
    """By its name alone, which model folders hold for good: importing it takes torch."""
    (module,) = json.loads((saved / "modules.json").read_text())
    file, _, name = module["type"].rpartition(".")
    tree = ast.parse(Path(importlib.util.find_spec(file).origin).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert module["path"] == ""
    config = json.loads((saved / "config_sentence_transformers.json").read_text())
    assert config == {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine"}


def test_a_model_folder_loads_without_what_is_there_for_others(folder) -> None:
    expected = SentenceEncoder.load(folder).encode("一丁")
    for name in ("modules.json", "config_sentence_transformers.json", "README.md"):
        (folder / name).unlink()
    assert SentenceEncoder.load(folder).encode("一丁").tobytes() == expected.tobytes()


def test_the_notebooks_similarity_has_no_name_elsewhere() -> None:
    recipe = load_recipe("fast", ["evaluation.similarity=notebook"])
    assert sentence_transformers_config(recipe)["similarity_fn_name"] is None
