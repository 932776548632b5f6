"""Which files paths, globs, folders and URIs stand for."""

import gzip
import json
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from input_files import (
    AS_GROUPS,
    AS_JOINED,
    CSV,
    GROUPS,
    JSON,
    JSON_LINES,
    TSV,
    in_memory,
    parquet,
    read,
    refusal,
    write,
)

from siamese.data.group import Group
from siamese.data.reading import read_texts
from siamese.data.sharding import make_data_set


class TestWhere:
    @pytest.fixture
    def folder(self, tmp_path):
        write(tmp_path / "in" / "b.json", '{"0": ["b1", "b2"]}')
        write(tmp_path / "in" / "a.json", '{"0": ["a1", "a2"]}')
        write(tmp_path / "in" / "deep" / "c.jsonl", '{"id": 0, "texts": ["c1", "c2"]}')
        write(tmp_path / "in" / "deep" / "d.tsv", "d1\td2\t1\n")
        write(tmp_path / "in" / "notes.md", "not data")
        return tmp_path / "in"

    @pytest.mark.parametrize(
        ("pattern", "ids"),
        [
            ("a.json", ["0"]),
            ("*.json", ["a/0", "b/0"]),
            ("[b].json", ["0"]),
            ("**/*.jsonl", ["0"]),
            ("", ["a/0", "b/0", "c/0", "pairs/0"]),
            ("deep", ["0", "pairs/0"]),
        ],
    )
    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_paths_globs_and_folders(self, folder, pattern, ids, scheme):
        groups, _ = read(f"{scheme}{folder}/{pattern}".rstrip("/"))
        assert [group.id.removeprefix("c/") for group in groups] == [
            id.removeprefix("c/") for id in ids
        ]

    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.parquet", "a.tsv", "a.csv"])
    @pytest.mark.parametrize("scheme", ["file", "memory"])
    def test_uris(self, tmp_path, name, scheme):
        content: dict[str, bytes | str] = {
            ".json": JSON,
            ".jsonl": JSON_LINES,
            ".parquet": parquet(id=list(GROUPS), texts=list(GROUPS.values())),
            ".tsv": TSV,
            ".csv": CSV,
        }
        file = write(tmp_path / name, content[Path(name).suffix])
        uri = file.as_uri() if scheme == "file" else in_memory(file.suffix, file.read_bytes())
        assert read(uri)[0] == (AS_JOINED if file.suffix in (".tsv", ".csv") else AS_GROUPS)

    def test_a_name_with_the_characters_of_a_pattern_is_a_name_if_there_is_such_a_file(
        self, tmp_path
    ):
        assert read(write(tmp_path / "train[1].json", JSON))[0] == AS_GROUPS

    def test_several_inputs_keep_their_order(self, folder):
        groups, _ = read(folder / "b.json", folder / "a.json")
        assert [group.texts[0] for group in groups] == ["b1", "a1"]

    def test_pairs_of_several_files_are_joined_together(self, tmp_path):
        one = write(tmp_path / "1.tsv", "a\tb\t1\n")
        two = write(tmp_path / "2.csv", "b,c,1\n")
        assert read(one, two)[0] == [Group("0", ("a", "b", "c"))]

    @pytest.mark.parametrize(
        "names",
        [
            ["a.json", "b.json"],
            ["one/a.json", "two/a.json"],
            ["a.json", "a.jsonl"],
            ["pairs.json", "x.tsv"],
            ["a.json", "b/0.jsonl"],
        ],
        ids=" ".join,
    )
    def test_group_ids_are_distinct_over_several_files(self, tmp_path, names):
        content = {
            ".json": '{"0": ["a", "b"], "b/0": ["c", "d"]}',
            ".jsonl": '{"id": "0", "texts": ["a", "b"]}',
            ".tsv": "a\tb\t1\n",
        }
        files = [write(tmp_path / name, content[Path(name).suffix]) for name in names]
        ids = [group.id for group in read(*files)[0]]
        assert len(ids) >= 2
        assert len(set(ids)) == len(ids)

    def test_a_file_given_twice_does_not_give_the_same_id_twice(self, folder):
        ids = [group.id for group in read(folder / "a.json", folder / "*.json")[0]]
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".tsv", ".txt", ".csv", ".parquet"])
def test_an_empty_file(tmp_path, suffix):
    empty = write(tmp_path / f"empty{suffix}", b"")
    message = refusal(write(tmp_path / "a.json", JSON), empty)
    assert str(empty) in message
    assert "empty" in message


@pytest.mark.parametrize("name", ["none.json", "none*.tsv", "none/", "none/x.parquet"])
@pytest.mark.parametrize("scheme", ["", "file://", "memory://"])
def test_a_missing_file(tmp_path, name, scheme):
    uri = f"{scheme}{tmp_path}/{name}"
    message = refusal(uri)
    assert uri in message
    assert "no such file" in message


@pytest.mark.parametrize("files", [[], ["notes.md"]])
def test_a_folder_without_data(tmp_path, files):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in files:
        write(folder / name, "x")
    message = refusal(folder)
    assert str(folder) in message
    assert ".jsonl" in message


def test_an_unknown_scheme():
    assert "nonsense" in refusal("nonsense://bucket/a.json")


def test_a_store_that_cannot_be_reached():
    class Unreachable(MemoryFileSystem):
        protocol = "unreachable"

        def info(self, path, **options):
            raise ConnectionError("connection refused")

        find = glob = ls = info

    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    message = refusal("unreachable://bucket/a.json")
    assert "unreachable://bucket/a.json" in message
    assert "connection refused" in message


class TestHidden:
    @pytest.fixture
    def folder(self, tmp_path):
        for name in (
            "a.json",
            "._a.json",
            "_b.json",
            ".ipynb_checkpoints/a-checkpoint.json",
            "_temporary/0/part.json",
            "deep/c.json",
        ):
            write(tmp_path / "in" / name, json.dumps({name: [f"{name}1", f"{name}2"]}))
        write(tmp_path / "in" / "_SUCCESS", b"")
        return tmp_path / "in"

    def found(self, *inputs) -> list[str]:
        return [group.texts[0][:-1] for group in read(*inputs)[0]]

    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_names_are_left_out_below_a_folder_and_in_globs(self, folder, scheme):
        both = ["a.json", "deep/c.json"]
        assert self.found(f"{scheme}{folder}") == both
        assert self.found(f"{scheme}{folder}/**/*.json") == both
        assert self.found(f"{scheme}{folder}/*.json") == ["a.json"]

    def test_names_that_are_given_are_read(self, folder, monkeypatch):
        assert self.found(folder / "_b.json") == ["_b.json"]
        assert self.found(folder / "_temporary") == ["_temporary/0/part.json"]
        assert self.found(folder / "_*.json") == ["_b.json"]
        monkeypatch.chdir(folder / "_temporary")
        assert self.found("0/*.json") == ["_temporary/0/part.json"]


class TestTwice:
    def test_a_file_of_several_names_is_read_once(self, tmp_path, monkeypatch):
        file = write(tmp_path / "a.json", JSON)
        (tmp_path / "link.json").symlink_to(file)
        monkeypatch.chdir(tmp_path)
        names = ["a.json", file, "./a.json", file.as_uri(), "*.json", "link.json", tmp_path]
        assert read(*names)[0] == AS_GROUPS

    def test_links_that_lead_in_a_circle_are_followed_once(self, tmp_path):
        write(tmp_path / "elsewhere" / "a.json", JSON)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
        (tmp_path / "in" / "more").symlink_to(tmp_path / "elsewhere")
        assert read(tmp_path / "in")[0] == AS_GROUPS

    def test_a_link_to_nothing_is_reported(self, tmp_path):
        (tmp_path / "a.json").symlink_to(tmp_path / "gone.json")
        assert "a.json: cannot be opened" in refusal(tmp_path)

    def test_a_file_that_is_there_packed_too_is_refused(self, tmp_path):
        write(tmp_path / "a.json", JSON)
        write(tmp_path / "a.json.gz", gzip.compress(JSON.encode()))
        assert "a.json.gz: is there unpacked too" in refusal(tmp_path)


class TestDataSet:
    @pytest.fixture
    def data(self, tmp_path):
        rows = [{"id": i, "texts": [f"甲{i}", f"乙{i}"], "negatives": [f"丙{i}"]} for i in range(9)]
        lines = write(tmp_path / "in.jsonl", "\n".join(map(json.dumps, rows)))
        make_data_set([str(lines)], tmp_path / "data", rows_per_shard=4)
        return tmp_path / "data"

    def test_its_groups_are_read_under_their_own_ids(self, data):
        groups, _ = read(data)
        assert sorted(groups, key=lambda group: group.id) == [
            Group(str(i), (f"甲{i}", f"乙{i}"), (f"丙{i}",)) for i in range(9)
        ]

    def test_sharded_again_it_is_the_same(self, data, tmp_path):
        make_data_set([str(data)], tmp_path / "again", rows_per_shard=4)
        one, two = (
            [(p.name, p.read_bytes()) for p in sorted(folder.glob("part-*"))]
            for folder in (data, tmp_path / "again")
        )
        assert len(one) == 3
        assert one == two

    def test_beside_other_files_its_groups_have_the_name_of_its_folder(self, data, tmp_path):
        other = write(tmp_path / "other.json", '{"0": ["a", "b"]}')
        ids = {group.id for group in read(data, other)[0]}
        assert ids == {f"data/{i}" for i in range(9)} | {"other/0"}

    def test_its_texts_are_those_of_its_groups(self, data):
        texts = list(read_texts([str(data)]))
        assert sorted(texts) == sorted(f"{c}{i}" for i in range(9) for c in "甲乙")

    @pytest.mark.parametrize("pattern", ["", "data/*", "*/manifest.json"])
    def test_one_below_a_folder_is_refused(self, data, pattern):
        message = refusal(f"{data.parent}/{pattern}".rstrip("/"))
        assert "data/manifest.json: is of a data set" in message

    def test_one_that_lacks_a_shard_is_refused(self, data):
        (data / "part-00001.parquet").unlink()
        assert "part-00001.parquet" in refusal(data)

    def test_a_manifest_that_leads_elsewhere_is_refused(self, data):
        manifest = (data / "manifest.json").read_text(encoding="utf-8")
        write(data / "manifest.json", manifest.replace("part-00001", "../part-00001"))
        assert "manifest.json: damaged" in refusal(data)
