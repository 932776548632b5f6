"""A model folder becomes a folder of another format, whole or not at all."""

import json
import uuid

import fsspec
import numpy as np
import pytest

from siamese import UserError
from siamese.export import export
from siamese.export.export import export_model
from siamese.export.exporter import ExportOptions
from siamese.testing.exporters import make_encoder


class Numbers:
    """An exporter of a user's own: all embeddings that it will ever give, in two files."""

    def write(self, encoder, folder):
        (folder / "part").mkdir()
        np.save(folder / "part" / "embeddings.npy", encoder.encode(["a"]))
        return {"seen": 1, "notes": ["a note"]}

    def load(self, folder):
        return lambda texts: np.load(folder / "part" / "embeddings.npy")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "best"
    make_encoder("mean").save(folder)
    return folder


@pytest.fixture(autouse=True)
def exporter(monkeypatch):
    made = Numbers()
    monkeypatch.setattr(export, "build_exporter", lambda to, options: made)
    return made


@pytest.fixture(params=["local", "uri"])
def output(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "deep" / "export")
    return f"memory://{uuid.uuid4().hex}/export"


def files(output: str) -> dict[str, bytes]:
    filesystem, root = fsspec.core.url_to_fs(output)
    if not filesystem.exists(root):
        return {}
    found = filesystem.find(root)
    return {name[len(root) :].lstrip("/"): filesystem.cat_file(name) for name in found}


def export_to(model, output, fresh=False):
    return export_model(model, "numbers", output, ExportOptions(), fresh)


def test_an_export_says_what_it_is_of(model, output) -> None:
    assert export_to(model, output) == ["a note"]
    found = files(output)
    assert found.keys() == {"export.json", "part/embeddings.npy"}
    encoder = make_encoder("mean")
    assert json.loads(found["export.json"]) == {
        "version": 1,
        "format": "numbers",
        "fingerprint": encoder.fingerprint,
        "embedding_dim": 8,
        "max_length": 24,
        "similarity": "cosine",
        "threshold": 0.5,
        "seen": 1,
    }


def test_an_export_is_replaced_as_a_whole_when_asked(model, output, exporter) -> None:
    export_to(model, output)
    before = files(output)
    with pytest.raises(UserError, match=r"an export is there already.*--fresh"):
        export_to(model, output)
    assert files(output) == before

    exporter.write = lambda encoder, folder: (folder / "other").write_text("x") and {"notes": []}
    export_to(model, output, fresh=True)
    assert files(output).keys() == {"export.json", "other"}


def test_nothing_is_left_of_one_that_fails(model, output, exporter) -> None:
    def fail(encoder, folder):
        (folder / "begun").write_text("x")
        raise UserError("other embeddings")

    write, exporter.write = exporter.write, fail
    with pytest.raises(UserError, match="other embeddings"):
        export_to(model, output)
    assert files(output) == {}
    exporter.write = write
    export_to(model, output)
    before, exporter.write = files(output), fail
    with pytest.raises(UserError, match="other embeddings"):
        export_to(model, output, fresh=True)
    assert files(output) == before


def test_nothing_is_left_of_an_upload_that_fails(model, monkeypatch) -> None:
    output = f"memory://{uuid.uuid4().hex}/export"
    write_bytes = export.Folder.write_bytes

    def fail(self, name, data):
        if name == "export.json":
            raise OSError("disk full")
        write_bytes(self, name, data)

    monkeypatch.setattr(export.Folder, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        export_to(model, output)
    assert files(output) == {}


@pytest.mark.parametrize("fresh", [False, True])
def test_what_is_no_export_is_never_replaced(model, tmp_path, fresh) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for content in ("x", '["export"]', '{"version": 1}'):
        (mine / "export.json").write_text(content)
        with pytest.raises(UserError, match=r"is not an export|damaged"):
            export_to(model, str(mine), fresh)
    (mine / "export.json").rename(mine / "thesis.txt")
    with pytest.raises(UserError, match="is not an export"):
        export_to(model, str(mine), fresh)
    with pytest.raises(UserError, match="is not an export"):
        export_to(model, str(model), fresh)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_filled_and_a_link_is_followed(model, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    export_to(model, str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "empty" / "export.json").is_file()


def test_a_file_in_the_way_is_named(model, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    for output in (tmp_path / "file", tmp_path / "file" / "export"):
        with pytest.raises(UserError, match="file is a file"):
            export_to(model, str(output))


def test_a_model_that_is_none_leaves_nothing(tmp_path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        export_to(tmp_path / "none", str(tmp_path / "export"))
    assert not list(tmp_path.iterdir())
