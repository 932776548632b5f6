"""Shards: the same bytes for the same input, whole or not at all, and checked when opened."""

import fcntl
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents

import siamese.data.cleaning
import siamese.data.shard_output
import siamese.data.sharding
import siamese.data.shards
import siamese.data.sorted_runs
from siamese.data.cleaning import ReadingCounts
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.reading import read_groups
from siamese.data.sharding import make_data_set
from siamese.data.shards import MANIFEST, SCHEMA, read_manifest, read_shards
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of
from siamese.storage.folder import Folder
from siamese.text.vocabulary import Vocabulary


def contents_at(uri: str) -> dict[str, bytes]:
    found = {}
    for name in Folder(uri).names():
        with Folder(uri).open(name) as stream:
            found[name] = stream.read()
    return found


def parquet_rows(folder: Path) -> list[list[Group]]:
    """The groups of each shard, read without the project's own reader."""
    return [
        [
            Group(row["group_id"], tuple(row["texts"]), tuple(row["negatives"]))
            for row in pq.read_table(path).to_pylist()
        ]
        for path in sorted(folder.glob("part-*.parquet"))
    ]


@pytest.fixture
def source(tmp_path) -> str:
    """103 groups of 2 to 4 texts, every fifth with hard negatives, and one of one text."""
    rows = [
        {
            "id": f"组{i}",
            "texts": [f"第{i}组的第{j}句" for j in range(2 + i % 3)],
            "negatives": [f"不是{i}😱"] if i % 5 == 0 else [],
        }
        for i in range(103)
    ]
    rows.append({"id": "alone", "texts": ["一句", "一句"]})
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def data(source, tmp_path) -> Path:
    make_data_set([source], tmp_path / "data", rows_per_shard=25)
    return tmp_path / "data"


class TestWritten:
    def test_the_same_input_and_options_give_the_same_bytes(self, source, data, tmp_path):
        make_data_set([source], tmp_path / "again", rows_per_shard=25)
        assert contents(tmp_path / "again") == contents(data)

    def test_another_seed_deals_the_same_groups_otherwise(self, source, data, tmp_path):
        make_data_set([source], tmp_path / "other", rows_per_shard=25, seed=2)
        one, other = parquet_rows(data), parquet_rows(tmp_path / "other")
        assert one != other
        assert [set(rows) for rows in one] != [set(rows) for rows in other]
        assert Counter(chain(*one)) == Counter(chain(*other))

    def test_the_order_of_the_groups_in_the_input_does_not_matter(self, source, data, tmp_path):
        lines = Path(source).read_text(encoding="utf-8").splitlines()
        Path(source).write_text("\n".join(reversed(lines)), encoding="utf-8")
        make_data_set([source], tmp_path / "turned", rows_per_shard=25)
        assert parquet_rows(tmp_path / "turned") == parquet_rows(data)

    @pytest.mark.parametrize(
        ("rows_per_shard", "expected"),
        [
            (25, [20, 21, 20, 21, 21]),
            (103, [103]),
            (102, [51, 52]),
            (65536, [103]),
            (1, [1] * 103),
        ],
    )
    def test_shards_are_balanced(self, source, tmp_path, rows_per_shard, expected):
        manifest = make_data_set([source], tmp_path / "data", rows_per_shard)
        found = [len(rows) for rows in parquet_rows(tmp_path / "data")]
        assert [file["rows"] for file in manifest["files"]] == found
        assert max(found) <= rows_per_shard
        assert max(found) - min(found) <= 1
        assert sorted(found) == sorted(expected)

    def test_the_schema_is_the_published_one(self, data):
        expected = pa.schema(
            [
                ("group_id", pa.string()),
                ("texts", pa.list_(pa.string())),
                ("negatives", pa.list_(pa.string())),
            ]
        )
        assert expected == SCHEMA
        for path in data.glob("*.parquet"):
            assert [(f.name, f.type) for f in pq.read_schema(path)] == [
                (f.name, f.type) for f in expected
            ]

    def test_the_manifest_says_what_is_there(self, source, data):
        manifest = json.loads((data / MANIFEST).read_text(encoding="utf-8"))
        groups = list(chain(*parquet_rows(data)))
        texts = [text for group in groups for text in group.texts]
        negatives = [text for group in groups for text in group.negatives]
        read = Counter("".join([*texts, *negatives, "一句", "一句"]))
        assert manifest["schema_version"] == 2
        assert manifest["options"] == {"rows_per_shard": 25, "seed": 1}
        assert manifest["counts"] == {
            "groups": 103,
            "texts": len(texts),
            "negatives": 21,
            "characters": len(read),
            "groups_read": 104,
            "texts_read": len(texts) + 2,
            "groups_of_one_text_dropped": 1,
            "duplicate_texts_folded": 1,
            "pairs_read": 0,
            "contradicting_negatives_dropped": 0,
            "groups_of_one_text_kept": 0,
        }
        lengths = Counter(str(len(text)) for text in texts)
        assert manifest["texts_by_length"] == lengths
        for file in manifest["files"]:
            assert file["sha256"] == sha256_of(data / file["name"])
        assert manifest["vocabulary_sha256"] == sha256_of(data / "vocabulary.json")
        assert Vocabulary.load(data / "vocabulary.json").counts == read
        listed = {file["name"] for file in manifest["files"]} | {"vocabulary.json", MANIFEST}
        assert set(contents(data)) == listed

    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_the_manifest_is_written_last(self, source, tmp_path, monkeypatch, scheme):
        seen = []
        saving = Folder.saving

        @contextmanager
        def watched(self, name, scratch):
            with saving(self, name, scratch) as path:
                yield path
            seen.append(name)

        monkeypatch.setattr(Folder, "saving", watched)
        make_data_set([source], f"{scheme}{tmp_path}/data", rows_per_shard=60)
        names = ["part-00000.parquet", "part-00001.parquet", "vocabulary.json", MANIFEST]
        assert seen[1:] == names  # after the one sorted run

    def test_pairs_become_groups_with_hard_negatives(self, tmp_path):
        (tmp_path / "p.tsv").write_text("a\tb\t1\na\tc\t0\na\tb\t0\n", encoding="utf-8")
        manifest = make_data_set([str(tmp_path / "p.tsv")], tmp_path / "data")
        assert parquet_rows(tmp_path / "data") == [[Group("0", ("a", "b"), ("c",))]]
        assert manifest["counts"]["pairs_read"] == 3
        assert manifest["counts"]["contradicting_negatives_dropped"] == 1

    @pytest.mark.parametrize("seed", [0, 2**32, 2**64 - 1])
    def test_any_seed_is_a_seed(self, source, tmp_path, seed):
        manifest = make_data_set([source], tmp_path / "data", seed=seed)
        assert manifest["options"]["seed"] == seed


class TestRead:
    def test_gives_the_groups_that_were_read(self, source, data):
        expected = list(read_groups([source], ReadingCounts()))
        training, manifest = read_shards(data)
        assert len(training.groups) == len(expected)
        assert sorted(training.groups, key=lambda g: g.id) == sorted(expected, key=lambda g: g.id)
        assert list(training.groups) == list(chain(*parquet_rows(data)))
        assert training.groups[3:5] == [training.groups[3], training.groups[4]]
        assert training.texts_read == manifest["counts"]["texts_read"]
        assert manifest == read_manifest(data)
        assert training.characters == Vocabulary.load(data / "vocabulary.json").counts

    def test_groups_are_read_by_row_group_and_few_are_kept(self, source, tmp_path, monkeypatch):
        monkeypatch.setattr(siamese.data.shards, "ROW_GROUP", 8)
        monkeypatch.setattr(siamese.data.shards, "GROUPS_KEPT", 26)
        make_data_set([source], tmp_path / "data", rows_per_shard=25)
        training, _ = read_shards(tmp_path / "data")
        expected = list(chain(*parquet_rows(tmp_path / "data")))
        assert sum(training.row_groups) == len(expected) == len(training.groups)
        for path in sorted((tmp_path / "data").glob("part-*")):
            metadata = pq.read_metadata(path)
            for number in range(metadata.num_row_groups):
                assert metadata.row_group(number).num_rows in (8, metadata.num_rows % 8)
        sizes = TrainingData.of_groups(expected, training.row_groups).sizes
        assert training.sizes.pairs() == sizes.pairs()
        for number in range(len(training.row_groups)):
            found = training.sizes.pair_ends(number)
            np.testing.assert_array_equal(found, sizes.pair_ends(number))
        for threads in (1, 4):
            order = np.random.default_rng(threads).integers(-103, 103, 400).tolist()
            with ThreadPoolExecutor(threads) as pool:
                assert list(pool.map(training.groups.__getitem__, order)) == [
                    expected[i] for i in order
                ]
        assert list(training.groups) == expected
        assert len(training.groups._read) == 4  # the last are of 5, 8, 8 and 5 groups
        for index in (103, -104):
            with pytest.raises(IndexError):
                training.groups[index]

    def test_checksums_can_be_left_to_another_reader(self, data):
        path = data / "part-00002.parquet"
        path.write_bytes(path.read_bytes() + b" ")
        assert len(read_shards(data, verify=False)[0].groups) == 103

    def test_hash_changes_when_the_data_do(self, source, data, tmp_path):
        make_data_set([source], tmp_path / "again", rows_per_shard=25)
        make_data_set([source], tmp_path / "other", rows_per_shard=25, seed=2)
        one, again, other = (
            read_shards(folder)[0].hash for folder in (data, tmp_path / "again", tmp_path / "other")
        )
        assert one == again != other

    @pytest.mark.parametrize("name", ["part-00002.parquet", "vocabulary.json"])
    @pytest.mark.parametrize(
        ("damage", "state"),
        [
            (lambda path: path.unlink(), "missing"),
            (lambda path: path.write_bytes(path.read_bytes()[:-1]), "altered or truncated"),
            (lambda path: path.write_bytes(path.read_bytes() + b" "), "altered or truncated"),
            (lambda path: path.write_bytes(b""), "altered or truncated"),
        ],
        ids=["missing", "truncated", "longer", "empty"],
    )
    def test_a_damaged_file_is_refused_by_name(self, data, name, damage, state):
        damage(data / name)
        with pytest.raises(UserError) as error:
            read_shards(data)
        assert f"{data / name}: {state}" in str(error.value)
        assert "Shard the input again" in str(error.value)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: "",
            lambda text: text[: len(text) // 2],
            lambda text: "[]",
            lambda text: "{}",
            lambda text: text.replace('"schema_version": 2', '"schema_version": 1'),
            lambda text: '{"schema_version": 2}',
            lambda text: text.replace('"files"', '"shards"'),
            lambda text: text.replace('"sha256"', '"md5"'),
            lambda text: text.replace('"vocabulary_sha256"', '"vocabulary"'),
            lambda text: text.replace('"texts_read"', '"texts_seen"'),
            lambda text: json.dumps({**json.loads(text), "files": []}),
            lambda text: json.dumps({**json.loads(text), "files": {}}),
            lambda text: json.dumps({**json.loads(text), "counts": None}),
        ],
    )
    def test_a_damaged_manifest_is_refused_by_name(self, data, damage):
        path = data / MANIFEST
        before = path.read_text(encoding="utf-8")
        path.write_text(damage(before), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != before
        with pytest.raises(UserError) as error:
            read_shards(data)
        assert str(path) in str(error.value)

    @pytest.mark.parametrize("make", [False, True])
    def test_a_folder_without_manifest_is_no_data_set(self, tmp_path, make):
        if make:
            (tmp_path / "data").mkdir()
        with pytest.raises(UserError) as error:
            read_shards(tmp_path / "data")
        assert f"{tmp_path / 'data'}: not a data set" in str(error.value)
        assert "siamese shard" in str(error.value)


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


def test_an_id_that_occurs_twice_is_refused(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = [{"id": 1, "texts": ["甲", "乙"]}, {"id": 1, "texts": ["丙", "丁"]}]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with pytest.raises(UserError, match="group '1' occurs more than once"):
        make_data_set([str(path)], tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_groups_of_one_text_come_last(tmp_path):
    rows = [{"id": n, "texts": ["甲", "乙"][: 1 + n % 2], "negatives": ["丙"]} for n in range(200)]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    manifest = make_data_set([str(path)], tmp_path / "data", rows_per_shard=30)
    assert manifest["counts"]["groups_of_one_text_kept"] == 100
    groups = list(chain(*parquet_rows(tmp_path / "data")))
    assert [len(group.texts) for group in groups] == [2] * 100 + [1] * 100
    numbers = [int(group.id) for group in groups]
    assert numbers[:100] != sorted(numbers[:100]) and numbers[100:] != sorted(numbers[100:])
    assert read_shards(tmp_path / "data")[0].single_text_groups == 100


def test_an_id_of_a_group_of_one_text_and_of_another_is_refused(tmp_path):
    path = tmp_path / "in.jsonl"
    rows = [{"id": 1, "texts": ["甲", "乙"]}, {"id": 1, "texts": ["丙"], "negatives": ["丁"]}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UserError, match="group '1' occurs more than once"):
        make_data_set([str(path)], tmp_path / "data")


@pytest.mark.parametrize("alike", [1, 5])
def test_ids_of_one_hash_are_told_apart(source, tmp_path, monkeypatch, alike):
    """Shards are cut between groups whose ids have the same hash, and ids decide the order."""
    whole = list(read_groups([source], ReadingCounts()))

    class Hash:
        def __init__(self, data, digest_size, salt):
            self.key = len(data) % alike * 2  # the last bit gives way to another

        def digest(self):
            return self.key.to_bytes(8, "big")

    monkeypatch.setattr(siamese.data.sorted_runs.hashlib, "blake2b", Hash)
    found = []
    for piece_bytes in (2000, 1 << 30):
        monkeypatch.setattr(siamese.data.sharding, "PIECE_BYTES", piece_bytes)
        make_data_set([source], tmp_path / str(piece_bytes), rows_per_shard=25)
        found.append(parquet_rows(tmp_path / str(piece_bytes)))
    assert found[0] == found[1]
    assert [len(rows) for rows in found[0]] == [20, 21, 20, 21, 21]
    order = sorted(whole, key=lambda group: (len(group.id.encode()) % alike, group.id))
    assert list(chain(*found[0])) == order


@pytest.mark.parametrize("name", ["PIECE_BYTES", "STRETCH_BYTES", "RUN_BYTES", "_BATCH_ROWS"])
def test_sizes_that_bound_memory_change_no_byte(source, data, tmp_path, monkeypatch, name):
    monkeypatch.setattr(siamese.data.shards, "ROW_GROUP", 4)
    monkeypatch.setattr(siamese.data.sharding, "ROW_GROUP", 4)
    monkeypatch.setattr(siamese.data.cleaning, "BATCH", 10)
    make_data_set([source], tmp_path / "one", rows_per_shard=25)
    where = (
        siamese.data.sharding if hasattr(siamese.data.sharding, name) else siamese.data.sorted_runs
    )
    monkeypatch.setattr(where, name, 7)
    make_data_set([source], tmp_path / "other", rows_per_shard=25)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_joining_pairs_says_that_it_holds_them_in_memory(tmp_path, capsys):
    (tmp_path / "p.tsv").write_text("a\tb\t1\na\tc\t0\n", encoding="utf-8")
    make_data_set([str(tmp_path / "p.tsv")], tmp_path / "data")
    assert "labelled pairs of 1 file (0.0 MiB)" in (out := capsys.readouterr().out)
    assert "memory" in out


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
        assert len(Folder(uri).names()) == 12
        with pytest.raises(UserError, match="not a data set"):
            read_shards(uri)
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


def test_what_killed_runs_left_beside_is_removed_but_not_what_is_in_use(source, tmp_path):
    for name in (".data.sharding-dead", ".data.sharding-alive", ".data.old", ".other.sharding-x"):
        (tmp_path / name / "sorted-runs").mkdir(parents=True)
        (tmp_path / name / "lock").touch()
    with (tmp_path / ".data.sharding-alive" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        make_data_set([source], tmp_path / "data")
    assert {p.name for p in tmp_path.iterdir()} == {
        "in.jsonl",
        "data",
        ".data.sharding-alive",
        ".data.old",
        ".other.sharding-x",
    }
