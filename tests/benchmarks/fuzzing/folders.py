"""Targets: model folders, data sets, checkpoints, run folders, folders of sweeps."""

import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzzing import altering
from fuzzing.case import Case, Target
from fuzzing.valid import MODEL, OPTIMIZER, files_of
from siamese.errors import UserError


def _signed(files: dict[str, bytes], manifest: str, entry: str) -> dict[str, bytes]:
    """The files with a manifest that has their checksums, as whoever alters them would write it."""
    try:
        content = json.loads(files[manifest])
        sums = {name: sha256(data).hexdigest() for name, data in files.items()}
        if entry == "files":
            for file in content["files"]:
                file["sha256"] = sums.get(file["name"], "")
            content["vocabulary_sha256"] = sums["vocabulary.json"]
        else:
            content[entry] = {name: sums[name] for name in content[entry] if name in sums}
        return {**files, manifest: json.dumps(content).encode()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return files


@st.composite
def _folder_case(draw: st.DrawFn, folder: Path, part: str, manifest: str, entry: str) -> Case:
    """A folder of which one file or two are altered, gone or another's."""
    valid = files_of(folder)
    files = dict(valid)
    names = [name for name in files if name.startswith(part) and not name.endswith(".md")]
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        how = draw(st.integers(0, 19))
        if how == 0:
            files.pop(name, None)
        elif how == 1:
            files[name] = b""
        elif how == 2:
            files[name] = valid[draw(st.sampled_from(names))]
        else:
            files[name] = draw(_altered_file(name, valid[name]))
    if manifest and draw(st.integers(0, 4)):
        files = _signed(files, manifest, entry)
    return Case(files)


def _altered_file(name: str, content: bytes) -> st.SearchStrategy[bytes]:
    if not content:
        return st.just(content)
    if name.endswith(".jsonl"):
        return altering.altered_json_lines(content)
    if name.endswith(".json"):
        return altering.altered_json(content)
    if name.endswith(".yaml"):
        return altering.altered_yaml(content)
    if name.endswith(".keras"):
        return _altered_weights(content)
    if name.endswith(".npz"):
        return _altered_arrays(content)
    return altering.altered_bytes(content)


ARRAYS: tuple[Any, ...] = (
    np.zeros(0, np.float32),
    np.float32(1),
    np.full((2, 3), np.nan),
    np.zeros((1, 1, 1)),
    np.array(["a"]),
    np.array([1 + 1j]),
    np.zeros((4, 4), np.int8),
    np.zeros(3, [("a", "i4")]),
)


@st.composite
def _altered_arrays(draw: st.DrawFn, content: bytes) -> bytes:
    if draw(st.booleans()):
        return draw(altering.altered_bytes(content))
    with np.load(io.BytesIO(content)) as values:
        arrays = {name: values[name] for name in values.files}
    name = draw(st.sampled_from(sorted(arrays)))
    arrays[name] = draw(st.sampled_from((*ARRAYS, np.array([{}], object))))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@st.composite
def _altered_weights(draw: st.DrawFn, content: bytes) -> bytes:
    """A `.keras` file with bytes of it or of the HDF5 file in it altered, or with other arrays."""
    import h5py

    if draw(st.integers(0, 3)) == 0:
        return draw(altering.altered_bytes(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weights = members["model.weights.h5"]
    if draw(st.booleans()):
        weights = draw(altering.altered_bytes(weights))
    else:
        buffer = io.BytesIO(weights)
        with h5py.File(buffer, "r+") as file:
            names: list[str] = []
            file.visititems(lambda name, item: names.append(name))
            name = draw(st.sampled_from(sorted(names)))
            del file[name]
            how = draw(st.sampled_from(("gone", "array", "huge", "link", "group", "null")))
            if how == "array":
                array = draw(st.sampled_from(ARRAYS))
                if array.dtype.kind != "U":
                    file[name] = array
            elif how == "huge":
                file.create_dataset(name, (1 << 40, 4), "f4", chunks=(1024, 4))
            elif how == "link":
                file[name] = h5py.ExternalLink("/etc/hostname", "/x")
            elif how == "group":
                file.create_group(name)
            elif how == "null":
                file[name] = h5py.Empty("f4")
        weights = buffer.getvalue()
    members["model.weights.h5"] = weights
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


TEXTS = ("怎么办卡", "", "a" * 300, "😱", "第1个问题")


def _model(folder: Path, words: Sequence[str]) -> None:
    from siamese.encoder.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load(folder)
    embeddings = encoder.encode(TEXTS)
    assert embeddings.shape == (len(TEXTS), encoder.embedding_dim)
    assert embeddings.dtype == np.float32
    assert isinstance(encoder.similarity(*TEXTS[:2]), float)
    assert encoder.is_similar(TEXTS[0], TEXTS[0]) in (True, False)


def _data(folder: Path, words: Sequence[str]) -> None:
    from siamese.data.shards import read_shards

    data, _ = read_shards(folder)
    groups = list(data.groups)
    assert len(groups) == len(data.groups)
    assert data.groups[0] == groups[0]
    assert data.groups[-1] == groups[-1]
    for number in range(len(data.row_groups)):
        assert data.sizes.pair_ends(number)[-1] == data.sizes.pairs()[number]


class _Variable:
    """What `load_checkpoint` needs of a Keras variable."""

    def __init__(self, value: np.ndarray) -> None:
        self.value = value

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)

    def numpy(self) -> np.ndarray:
        return self.value

    def assign(self, value: Any) -> None:
        if np.shape(value) != self.value.shape:
            raise ValueError(f"shape {np.shape(value)} does not fit {self.value.shape}")
        self.value = np.asarray(value).astype(self.value.dtype)


class _Owner:
    """What `load_checkpoint` needs of a model or an optimizer."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.variables = [_Variable(array) for array in arrays.values()]


def _checkpoint(folder: Path, words: Sequence[str]) -> None:
    from siamese.training.checkpoint import load_checkpoint, newest_checkpoint

    assert newest_checkpoint(folder.parent, lambda text: None) is None
    model: Any = _Owner(MODEL)
    optimizer: Any = _Owner(OPTIMIZER)
    at = load_checkpoint(folder, model, optimizer)
    assert type(at.epoch) is int and type(at.step) is int and min(at.epoch, at.step) >= 0
    assert type(at.best_epoch) is int and isinstance(at.epoch_loss, float | int)
    assert at.best_metric is None or isinstance(at.best_metric, float | int)


def _run(folder: Path, words: Sequence[str]) -> None:
    from siamese.config.recipe import Recipe
    from siamese.report.run_contents import read_run
    from siamese.report.run_page import page
    from siamese.report.run_report import write_report
    from siamese.training.checkpoint import Progress
    from siamese.training.run_folder import RunFolder

    shutil.rmtree(folder.with_name("rewound"), ignore_errors=True)
    run = RunFolder(shutil.copytree(folder, folder.with_name("rewound")))
    _refused(lambda: run.check_same(Recipe(), {"hash": "ab" * 32}))
    _refused(lambda: run.rewind(Progress(epoch=2, step=20, best_metric=0.5, best_epoch=2)))
    contents = read_run(folder)
    names = ("loss", "metrics", "similarities", "reliability", "roc", "precision", "encoder")
    html = page(contents, dict.fromkeys(names, b"\x89PNG" + bytes(20)))
    assert "<script" not in html.lower()
    if len(html) % 40 == 0:  # drawing takes seconds
        write_report(folder)


def _sweep(folder: Path, words: Sequence[str]) -> None:
    from distributed.sweep.folder import SweepFolder
    from distributed.sweep.trials import Trials
    from siamese.config.loading import load_recipe

    sweep = SweepFolder(str(folder))
    _refused(lambda: sweep.check_same({"space": {"loss.scale": [5, 80]}, "trials": 4}))
    _refused(lambda: load_recipe(str(sweep.recipe_file), stored=True))
    for log in Trials(sweep, "roc_auc", epochs=2).ranked():
        assert log.best("roc_auc")


def _refused(call: Any) -> None:
    """Do what may be refused, and go on."""
    with suppress(UserError):
        call()


def _folder(part: str, below: str = "", manifest: str = "", entry: str = "") -> Any:
    return lambda valid: _folder_case(valid / part, below, manifest, entry)


TARGETS = {
    "model": Target(_folder("run/best", "", "manifest.json", "sha256"), _model),
    "data": Target(_folder("data", "", "manifest.json", "files"), _data),
    "checkpoint": Target(
        _folder("run/checkpoints/step-00000030", "", "manifest.json", "sha256"), _checkpoint
    ),
    "run": Target(_folder("run"), _run),
    "sweep": Target(_folder("sweep"), _sweep),
}
