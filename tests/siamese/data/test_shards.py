"""Opening a data set: it is checked, and its groups are read when asked for."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folder_bytes import parquet_rows

import siamese.data.cleaning
import siamese.data.shard_output
import siamese.data.sharding
import siamese.data.shards
import siamese.data.sorted_runs
from siamese.data.cleaning import ReadingCounts
from siamese.data.dataset import TrainingData
from siamese.data.reading import read_groups
from siamese.data.sharding import make_data_set
from siamese.data.shards import MANIFEST, SCHEMA, ShardedGroups, read_manifest, read_shards
from siamese.errors import UserError
from siamese.storage.folder import Folder
from siamese.text.vocabulary import Vocabulary


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
            lambda text: text.replace('"schema_version": 3', '"schema_version": 1'),
            lambda text: text.replace('"schema_version": 3', '"schema_version": 4'),
            lambda text: '{"schema_version": 2}',
            lambda text: '{"schema_version": 3}',
            lambda text: text.replace('"positive_pairs"', '"positives"'),
            lambda text: text.replace('"positive_pairs": [', '"positive_pairs": [-1, '),
            lambda text: text.replace('"other_pairs": [', '"other_pairs": [true, '),
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

    @pytest.mark.parametrize("key", ["positive_pairs", "other_pairs"])
    def test_counts_of_other_row_groups_are_refused_with_their_shard(self, data, key):
        path = data / MANIFEST
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["files"][1][key].append(1)
        path.write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(UserError, match=r"part-00001\.parquet: has other row groups than"):
            read_shards(data)

    @pytest.mark.parametrize("make", [False, True])
    def test_a_folder_without_manifest_is_no_data_set(self, tmp_path, make):
        if make:
            (tmp_path / "data").mkdir()
        with pytest.raises(UserError) as error:
            read_shards(tmp_path / "data")
        assert f"{tmp_path / 'data'}: not a data set" in str(error.value)
        assert "siamese shard" in str(error.value)


@pytest.mark.parametrize("column", ["group_id", "texts", "negatives"])
def test_a_text_that_is_no_utf8_is_a_sentence(tmp_path, column) -> None:
    """Arrow writes and reads such bytes without a word."""
    bad = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    lists = pa.ListArray.from_arrays([0, 1], bad)
    good = pa.array([["a", "b"]], pa.list_(pa.string()))
    columns = {"group_id": pa.array(["a"]), "texts": good, "negatives": good}
    columns[column] = bad if column == "group_id" else lists
    pq.write_table(pa.table(columns), tmp_path / "part-00000.parquet")
    groups = ShardedGroups(Folder(tmp_path), {"part-00000.parquet": 1})
    with pytest.raises(UserError, match=r"part-00000\.parquet: damaged, or no shard \(.*UTF8"):
        groups[0]


def test_a_shard_with_other_row_groups_than_its_manifest_says_is_a_sentence(tmp_path) -> None:
    texts = [["a", "b"]] * 4
    columns = {"group_id": list("abcd"), "texts": texts, "negatives": texts}
    table = pa.table({**columns, "pairs": [[]] * 4}, schema=SCHEMA)
    pq.write_table(table, tmp_path / "part-00000.parquet", row_group_size=2)
    with pytest.raises(UserError, match=r"part-00000\.parquet: .*2 row groups"):
        ShardedGroups(Folder(tmp_path), {"part-00000.parquet": 4}).pairs()
