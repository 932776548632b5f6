"""A folder to read, wherever it is."""

from uuid import uuid4

import fsspec
import pytest

from siamese.errors import UserError
from siamese.storage.local_copy import local_copy


@pytest.fixture
def uri() -> str:
    memory = fsspec.filesystem("memory")
    root = uuid4().hex
    for name in ("model/a", "model/best/b", "model/unasked"):
        memory.pipe(f"/{root}/{name}", name.encode())
    return f"memory://{root}/model"


@pytest.mark.parametrize("location", ["model", "{}/model", "file://{}/model"])
def test_a_local_folder_is_read_where_it_is(tmp_path, monkeypatch, location) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    with local_copy(location.format(tmp_path), ("a",)) as folder:
        assert folder.resolve() == tmp_path / "model"


def test_of_a_uri_the_named_files_are_copied_for_as_long_as_they_are_read(uri) -> None:
    with local_copy(uri, ("a", "best/b", "missing")) as folder:
        assert folder.name == "model"
        files = {
            str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()
        }
        assert files == {"a": "model/a", "best/b": "model/best/b"}
    assert not folder.exists()


def test_what_is_said_of_the_copy_is_said_of_the_uri(uri) -> None:
    with pytest.raises(UserError, match=f"^{uri}/a: damaged"), local_copy(uri, ("a",)) as folder:
        raise UserError(f"{folder / 'a'}: damaged")


def test_a_folder_that_is_not_there_is_named(uri) -> None:
    with (
        pytest.raises(UserError, match=f"^{uri}/none: no such folder"),
        local_copy(f"{uri}/none", ()),
    ):
        pass
