"""Groups as columns, there and back, and what a data set keeps of labelled pairs."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folder_bytes import contents
from hypothesis import given
from hypothesis import strategies as st

import siamese.data.sharding
import siamese.data.shards
from siamese.config.recipe import Sampling
from siamese.data.dataset import TrainingData
from siamese.data.group import Group
from siamese.data.group_columns import SCHEMA, GroupColumns, columns_of
from siamese.data.in_memory import data_set_of
from siamese.data.pair import Pair
from siamese.data.rows import Position
from siamese.data.sampling import sample_rows
from siamese.data.sharding import make_data_set
from siamese.data.shards import MANIFEST, read_shards
from siamese.errors import UserError
from siamese.storage.atomic import sha256_of

texts = st.lists(st.text(st.characters(codec="utf-8"), max_size=3), max_size=3).map(tuple)
pairs = st.lists(st.builds(Pair, st.text("ab😱"), st.text("cd"), st.floats(0, 1)), max_size=3).map(
    tuple
)
GRADED = [
    *(Pair(f"a{n}", f"b{n}", 1) for n in range(12)),
    *(Pair(f"a{n}", f"b{n + 1}", n / 24) for n in range(11)),
    *(Pair(f"c{n}", f"d{n}", 0.1) for n in range(9)),
    *(Pair(f"e{n}", f"f{n}", 0.6) for n in range(7)),
]


@given(st.lists(st.builds(Group, st.text("xyz"), texts, texts, pairs)))
def test_groups_are_read_back_as_they_were(groups):
    found = GroupColumns(pa.Table.from_arrays(columns_of(groups), schema=SCHEMA))
    assert list(found) == groups == [found[row] for row in range(len(groups))]
    assert found.problem() == ""


@pytest.fixture
def graded(tmp_path, monkeypatch):
    monkeypatch.setattr(siamese.data.shards, "ROW_GROUP", 4)
    data_set_of(GRADED, tmp_path / "data")
    return tmp_path / "data"


def test_a_data_set_keeps_every_labelled_pair_once_and_its_manifest_counts_them(graded):
    data, manifest = read_shards(graded)
    groups = list(data.groups)
    kept = [pair for group in groups for pair in group.pairs]
    assert sorted(kept, key=repr) == sorted(GRADED, key=repr)
    assert manifest["counts"]["labelled_pairs"] == len(GRADED)
    starts = np.cumsum([0, *data.row_groups])
    for kind, counts in enumerate(data.sizes.labelled_pairs()):
        for number, count in enumerate(counts):
            own = groups[starts[number] : starts[number + 1]]
            labels = [[1 - pair.label for pair in group.pairs].count(kind) for group in own]
            assert count == sum(labels)
            ends = data.sizes.labelled_ends(number)[kind]
            assert ends.tolist() == np.cumsum(labels).tolist()
    in_memory = TrainingData.of_groups(groups, data.row_groups)
    assert in_memory.sizes.labelled_pairs() == data.sizes.labelled_pairs()
    np.testing.assert_array_equal(in_memory.sizes.labelled_ends(2), data.sizes.labelled_ends(2))


def test_groups_come_first_then_those_kept_for_negatives_then_those_kept_for_pairs(graded):
    data, _ = read_shards(graded)
    kinds = [(len(group.texts) > 1, bool(group.negatives)) for group in data.groups]
    assert [kind[0] for kind in kinds] == [True] * 12 + [False] * 16
    assert [kind[1] for kind in kinds[12:]] == [True] * 9 + [False] * 7
    assert (data.multi_text_groups, data.single_text_groups, data.pair_only_groups) == (12, 9, 7)


def test_hard_negatives_are_drawn_of_groups_that_have_them_only(graded):
    data, _ = read_shards(graded)
    for step in range(9):
        rows = sample_rows(data, Sampling(batch_groups=4), 1, Position(1, step // 3, step % 3))
        assert {text[0] for text in rows.others} <= {"c", "d"}


def test_a_group_without_a_labelled_positive_counts_what_joins_it(tmp_path):
    data_set_of({"a": ["1", "2", "3"], "b": ["4", "5"]}, tmp_path / "data")
    assert read_shards(tmp_path / "data")[0].sizes.labelled_pairs() == ((3,), (0,))


def test_a_data_set_that_is_sharded_again_keeps_its_pairs(graded, tmp_path):
    make_data_set([str(graded)], tmp_path / "again")
    data, _ = read_shards(tmp_path / "again")
    assert sorted(data.groups, key=repr) == sorted(read_shards(graded)[0].groups, key=repr)
    assert contents(tmp_path / "again")["vocabulary.json"] == contents(graded)["vocabulary.json"]


@pytest.mark.parametrize("name", ["PIECE_BYTES", "STRETCH_BYTES"])
def test_what_bounds_memory_changes_no_byte(graded, tmp_path, monkeypatch, name):
    monkeypatch.setattr(siamese.data.sharding, name, 200)
    data_set_of(GRADED, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(graded)


def test_a_data_set_of_the_version_before_loads(graded):
    path, manifest = graded / "part-00000.parquet", json.loads((graded / MANIFEST).read_text())
    groups = [Group(g.id, g.texts, g.negatives) for g in read_shards(graded)[0].groups][:21]
    table = pq.read_table(path).drop_columns("pairs").slice(0, 21)
    pq.write_table(table, path, row_group_size=4)
    [file] = manifest["files"]
    file = {"name": file["name"], "rows": 21, "sha256": sha256_of(path)}
    del manifest["counts"]["groups_of_one_text_kept_for_pairs"]
    manifest |= {"schema_version": 2, "files": [file]}
    (graded / MANIFEST).write_text(json.dumps(manifest))
    data, _ = read_shards(graded)
    assert list(data.groups) == groups
    assert (data.multi_text_groups, data.single_text_groups, data.pair_only_groups) == (12, 9, 0)
    assert data.sizes.labelled_pairs() == ((4, 4, 4, 0, 0, 0), (0,) * 6)
    assert data.sizes.labelled_ends(1).tolist() == [[1, 2, 3, 4], [0] * 4]


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ({"text1": "a", "text2": "b", "grade": 1.5}, "a grade is not from 0 to 1"),
        ({"text1": "a", "text2": "b", "grade": float("nan")}, "a grade is not from 0 to 1"),
        ({"text1": "a", "text2": None, "grade": 1.0}, "something in it is null"),
        ({"text1": "a", "text2": "b", "grade": None}, "something in it is null"),
        (None, "something in it is null"),
        ({"text1": "a", "text2": "b", "grade": 0.1}, "other pairs than its manifest says"),
    ],
)
def test_damaged_pairs_are_a_sentence(tmp_path, pair, problem):
    data_set_of([Pair("a", "b", 1)], tmp_path / "data")
    path = tmp_path / "data" / "part-00000.parquet"
    table = pq.read_table(path)
    pq.write_table(
        table.set_column(3, SCHEMA.field(3), pa.array([[pair]], SCHEMA.field(3).type)), path
    )
    data, _ = read_shards(tmp_path / "data", verify=False)
    with pytest.raises(UserError, match=rf"part-00000\.parquet: damaged, .*{problem}"):
        data.sizes.labelled_ends(0)
