"""Data sets: the same bytes for the same input, in shards of equal size."""

import json
from collections import Counter
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents, parquet_rows

import siamese.data.cleaning
import siamese.data.shard_output
import siamese.data.sharding
import siamese.data.shards
import siamese.data.sorted_runs
from siamese.data.cleaning import ReadingCounts
from siamese.data.group import Group
from siamese.data.reading import read_groups
from siamese.data.sharding import make_data_set
from siamese.data.shards import MANIFEST, SCHEMA, read_shards
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of
from siamese.storage.folder import Folder
from siamese.text.vocabulary import Vocabulary


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
                (
                    "pairs",
                    pa.list_(
                        pa.struct(
                            [
                                ("text1", pa.string()),
                                ("text2", pa.string()),
                                ("grade", pa.float64()),
                            ]
                        )
                    ),
                ),
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
        assert manifest["schema_version"] == 3
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
            "groups_of_one_text_kept_for_pairs": 0,
            "contradicting_labels": 0,
            "labelled_pairs": 0,
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
            self.key = len(data) % alike * 4  # the last two bits give way to others

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


def test_one_object_in_pieces_gives_the_bytes_of_the_whole(tmp_path, monkeypatch):
    groups = {f"组{i}": [f'第{i}组"],"的第{j}句\\' for j in range(2 + i % 3)] for i in range(100)}
    (tmp_path / "in.json").write_text(json.dumps(groups, ensure_ascii=False), encoding="utf-8")
    make_data_set([str(tmp_path / "in.json")], tmp_path / "whole", rows_per_shard=30)
    monkeypatch.setattr(siamese.data.sharding, "PIECE_BYTES", 1000)
    make_data_set([str(tmp_path / "in.json")], tmp_path / "pieces", rows_per_shard=30)
    assert contents(tmp_path / "pieces") == contents(tmp_path / "whole")
    assert len(list(chain(*parquet_rows(tmp_path / "pieces")))) == 100


def test_joining_pairs_says_that_it_holds_them_in_memory(tmp_path, capsys):
    (tmp_path / "p.tsv").write_text("a\tb\t1\na\tc\t0\n", encoding="utf-8")
    make_data_set([str(tmp_path / "p.tsv")], tmp_path / "data")
    assert "labelled pairs of 1 file (0.0 MiB)" in (out := capsys.readouterr().out)
    assert "memory" in out
