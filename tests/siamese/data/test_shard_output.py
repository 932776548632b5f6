"""A data set is written as a whole or not at all, and replaces nothing else."""

import json
import os
from pathlib import Path

import pytest
from folder_bytes import contents, contents_at

import siamese.data.cleaning
import siamese.data.shard_output
import siamese.data.sharding
import siamese.data.shards
import siamese.data.sorted_runs
import siamese.storage.ownership
from siamese.data.shard_output import writing
from siamese.data.sharding import make_data_set
from siamese.data.shards import read_manifest, read_shards
from siamese.errors import UserError
from siamese.storage.folder import Folder
from siamese.storage.ownership import MARKS
from siamese.text.vocabulary import Vocabulary


class TestOutput:
    @pytest.fixture
    def bad(self, tmp_path) -> str:
        """An input that is wrong at its very end."""
        rows = [{"id": i, "texts": ["a", "b"]} for i in range(50)] + [{"id": 50, "texts": ["", ""]}]
        path = tmp_path / "bad.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        return str(path)

    def test_an_input_that_fails_leaves_nothing_behind(self, bad, tmp_path):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError):
            make_data_set([bad], tmp_path / "deep" / "data")
        assert sorted(tmp_path.rglob("*")) == before

    def test_an_input_that_fails_leaves_the_old_data_set_as_it_was(self, bad, data, tmp_path):
        before = contents(tmp_path)
        with pytest.raises(UserError):
            make_data_set([bad], data, fresh=True)
        assert contents(tmp_path) == before

    @pytest.mark.parametrize("fails", ["run", "shard", "vocabulary", "manifest"])
    @pytest.mark.parametrize("existing", [False, True])
    def test_a_write_that_fails_leaves_everything_as_it_was(
        self, source, data, tmp_path, monkeypatch, fails, existing
    ):
        def no_space(*_, **__):
            raise OSError(28, "No space left on device")

        where = {
            "run": (siamese.data.sorted_runs.pa.ipc, "new_file"),
            "shard": (siamese.data.shards.pq, "ParquetWriter"),
            "vocabulary": (Vocabulary, "save"),
            "manifest": (siamese.data.shards, "write_json"),
        }
        monkeypatch.setattr(*where[fails], no_space)
        before = sorted(tmp_path.rglob("*")), contents(tmp_path)
        with pytest.raises(OSError, match="No space left"):
            make_data_set([source], data if existing else tmp_path / "new", fresh=existing)
        assert (sorted(tmp_path.rglob("*")), contents(tmp_path)) == before

    def test_a_data_set_is_kept_without_fresh(self, source, data):
        before = contents(data)
        with pytest.raises(UserError, match="--fresh"):
            make_data_set([source], data)
        assert contents(data) == before

    def test_a_data_set_is_replaced_with_fresh(self, source, data, tmp_path):
        make_data_set([source], data, rows_per_shard=200, fresh=True)
        make_data_set([source], tmp_path / "new", rows_per_shard=200)
        assert contents(data) == contents(tmp_path / "new")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "in.jsonl", "new"]

    @pytest.mark.parametrize("fresh", [False, True])
    def test_an_empty_folder_is_used(self, source, tmp_path, fresh):
        (tmp_path / "data").mkdir()
        make_data_set([source], tmp_path / "data", fresh=fresh)
        assert len(read_shards(tmp_path / "data")[0].groups) == 103

    @pytest.mark.parametrize(
        "files",
        [
            {"notes.txt": "mine"},
            {"part-00000.parquet": "mine"},
            {"manifest.json": '{"name": "my web app", "icons": []}', "index.html": "mine"},
            {"manifest.json": "mine"},
            {"deep/manifest.json": '{"schema_version": 1}'},
        ],
        ids=lambda files: next(iter(files)),
    )
    @pytest.mark.parametrize("fresh", [False, True])
    def test_a_folder_that_is_no_data_set_is_never_replaced(self, source, tmp_path, files, fresh):
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        before = contents(tmp_path / "data")
        with pytest.raises(UserError) as error:
            make_data_set([source], tmp_path / "data", fresh=fresh)
        assert str(tmp_path / "data") in str(error.value)
        assert contents(tmp_path / "data") == before

    def test_a_file_in_the_place_of_the_folder_is_refused(self, source, tmp_path):
        (tmp_path / "data").write_text("mine", encoding="utf-8")
        with pytest.raises(UserError, match="is a file"):
            make_data_set([source], tmp_path / "data", fresh=True)
        assert (tmp_path / "data").read_text(encoding="utf-8") == "mine"

    def test_a_link_to_a_data_set_is_followed(self, source, data, tmp_path):
        (tmp_path / "link").symlink_to(data)
        make_data_set([source], tmp_path / "link", rows_per_shard=200, fresh=True)
        assert len(list(data.glob("part-*"))) == 1
        assert len(read_shards(tmp_path / "link")[0].groups) == 103

    def test_input_without_two_different_texts_is_refused(self, tmp_path):
        (tmp_path / "a.json").write_text('{"0": ["a"], "1": ["b", "b"]}', encoding="utf-8")
        with pytest.raises(UserError, match=r"a\.json: no group has two different texts \(2 "):
            make_data_set([str(tmp_path / "a.json")], tmp_path / "data")
        assert not (tmp_path / "data").exists()


class TestUri:
    @pytest.fixture(params=["memory", "file"])
    def uri(self, request, tmp_path) -> str:
        return f"{request.param}://{tmp_path}/out"

    def test_gives_the_bytes_of_a_local_folder(self, source, data, tmp_path, uri):
        make_data_set([source], uri, rows_per_shard=25)
        assert contents_at(uri) == contents(data)
        training, manifest = read_shards(uri)
        assert list(training.groups) == list(read_shards(data)[0].groups)
        assert manifest == read_manifest(uri)

    def test_a_data_set_is_kept_without_fresh_and_replaced_with_it(self, source, tmp_path, uri):
        make_data_set([source], uri, rows_per_shard=25)
        with pytest.raises(UserError, match="--fresh"):
            make_data_set([source], uri)
        make_data_set([source], uri, rows_per_shard=60, fresh=True)
        assert [n for n in Folder(uri).names() if n.startswith("part-")] == [
            "part-00000.parquet",
            "part-00001.parquet",
        ]
        assert len(read_shards(uri)[0].groups) == 103

    def test_an_input_that_fails_leaves_what_was_there(self, source, tmp_path, uri):
        (tmp_path / "bad.jsonl").write_text('{"id": 1, "texts": ["", ""]}', encoding="utf-8")
        for before in ([], ["manifest.json", "part-00000.parquet", "vocabulary.json"]):
            with pytest.raises(UserError, match="empty text"):
                make_data_set([str(tmp_path / "bad.jsonl")], uri, fresh=True)
            assert Folder(uri).names() == before
            make_data_set([source], uri, fresh=True)

    def test_what_a_killed_run_left_is_cleared(self, source, data, tmp_path, uri, monkeypatch):
        """Killed while parts were written: nothing could be cleaned up."""

        def killed(*_, **__):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(siamese.data.sharding, "finish_data_set", killed)
            patch.setattr(siamese.data.shard_output, "make_room", lambda *_: None)
            patch.setattr(Folder, "remove", lambda *_: None)
            with pytest.raises(Killed):
                make_data_set([source], uri, rows_per_shard=10)
        assert len([name for name in Folder(uri).names() if name not in MARKS]) == 12
        with pytest.raises(UserError, match="not a data set"):
            read_shards(uri)
        monkeypatch.setattr(siamese.storage.ownership, "_has_ended", lambda holder: True)
        make_data_set([source], uri, rows_per_shard=25)
        assert contents_at(uri) == contents(data)

    def test_options_of_the_store_stay_at_the_end(self, source, data, tmp_path):
        uri = f"file://{tmp_path}/out"
        child = Folder(f"{uri}?option=1") / "deep"
        assert (child.uri, child.name) == (f"{uri}/deep?option=1", "deep")

    def test_parts_of_another_program_are_never_removed(self, source, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "part-00000.parquet").write_text("mine", encoding="utf-8")
        with pytest.raises(UserError, match="not a data set"):
            make_data_set([source], f"file://{tmp_path}/out", fresh=True)
        assert contents(tmp_path / "out") == {"part-00000.parquet": b"mine"}


class Killed(BaseException):
    pass


def test_what_killed_runs_left_beside_is_removed_and_nothing_else(source, tmp_path):
    for name in (".data.sharding-dead", ".data.sharding-lock", ".data.old", ".other.sharding-x"):
        (tmp_path / name / "sorted-runs").mkdir(parents=True)
        (tmp_path / name / ".lock").touch()
    (tmp_path / ".data.sharding-lock" / "sorted-runs").rmdir()
    make_data_set([source], tmp_path / "data")
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"in.jsonl", "data", ".data.old", ".other.sharding-x"}


def test_a_second_writer_of_a_data_set_is_refused_and_the_first_one_ends(source, tmp_path):
    with writing(str(tmp_path / "data"), fresh=False) as (folder, _):
        (Path(folder.uri) / "mine").touch()
        with pytest.raises(
            UserError, match=rf"{tmp_path}/data: is in use by process {os.getpid()}"
        ):
            make_data_set([source], tmp_path / "data", fresh=True)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "in.jsonl"]
