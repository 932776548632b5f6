"""What a Python program holds gives the data set that the same groups in a file give."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folder_bytes import contents

from siamese.data.group import Group
from siamese.data.in_memory import data_set_of, pairs_of
from siamese.data.pair import Pair
from siamese.data.shards import read_shards
from siamese.errors import UserError

GROUPS = {f"组{i}": [f"第{i}组的第{j}句" for j in range(1 + i % 4)] for i in range(60)}
TRIPLES = [(f"问{i}", f"问{i + 1}", int(i % 5 != 0)) for i in range(60)]
FRAME = pd.DataFrame(TRIPLES, columns=["sentence1", "sentence2", "label"])


def from_file(tmp_path: Path, name: str, content: str) -> dict[str, bytes]:
    """The data set of a file."""
    (tmp_path / name).write_text(content, encoding="utf-8")
    data_set_of(tmp_path / name, tmp_path / "expected")
    return contents(tmp_path / "expected")


def json_lines(rows: list[dict]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


@pytest.mark.parametrize(
    "groups",
    [
        GROUPS,
        [Group(key, tuple(texts)) for key, texts in GROUPS.items()],
        (Group(key, tuple(texts)) for key, texts in GROUPS.items()),
        pd.DataFrame({"texts": list(GROUPS.values()), "id": list(GROUPS)}),
        pd.DataFrame({"group_id": list(GROUPS), "texts": [np.array(t) for t in GROUPS.values()]}),
    ],
    ids=["mapping", "groups", "generator", "frame", "frame of arrays"],
)
def test_groups_give_the_bytes_of_a_file(tmp_path, groups) -> None:
    expected = from_file(tmp_path, "in.json", json.dumps(GROUPS))
    assert data_set_of(groups, tmp_path / "data") == str(tmp_path / "data")
    assert contents(tmp_path / "data") == expected


def test_lists_of_texts_have_their_numbers_as_ids(tmp_path) -> None:
    rows = [{"id": number, "texts": texts} for number, texts in enumerate(GROUPS.values())]
    expected = from_file(tmp_path, "in.jsonl", json_lines(rows))
    data_set_of(list(GROUPS.values()), tmp_path / "data")
    assert contents(tmp_path / "data") == expected


def test_hard_negatives_of_groups_and_of_a_frame_are_kept(tmp_path) -> None:
    rows = [
        {"id": "a", "texts": ["甲", "乙"], "negatives": ["丙"]},
        {"id": "b", "texts": ["丁", "戊"], "negatives": None},
    ]
    expected = from_file(tmp_path, "in.jsonl", json_lines(rows))
    groups = [Group(r["id"], tuple(r["texts"]), tuple(r["negatives"] or ())) for r in rows]
    for number, held in enumerate([groups, pd.DataFrame(rows)]):
        data_set_of(held, tmp_path / str(number))
        assert contents(tmp_path / str(number)) == expected


@pytest.mark.parametrize(
    "pairs",
    [
        TRIPLES,
        [list(row) for row in TRIPLES],
        [Pair(*row) for row in TRIPLES],
        ((a, b, np.int64(y)) for a, b, y in TRIPLES),
        ((a, b, bool(y)) for a, b, y in TRIPLES),
        FRAME,
        FRAME[["label", "sentence2", "sentence1"]].rename(columns={"label": "标签"}),
        FRAME.astype({"label": float}),
        FRAME.astype({"label": str}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_pairs_give_the_bytes_of_a_file(tmp_path, pairs) -> None:
    rows = "".join(f"{a}\t{b}\t{label}\n" for a, b, label in TRIPLES)
    if isinstance(pairs, pd.DataFrame) and "标签" in pairs.columns:
        rows = "".join(f"{b}\t{a}\t{label}\n" for a, b, label in TRIPLES)
        pairs = pairs.set_axis(["标签", "text1", "text2"], axis=1)
    expected = from_file(tmp_path, "in.tsv", rows)
    data_set_of(pairs, tmp_path / "data")
    assert contents(tmp_path / "data") == expected


def test_paths_are_read_and_a_data_set_is_used_as_it_is(tmp_path) -> None:
    path = tmp_path / "in.json"
    path.write_text(json.dumps(GROUPS), encoding="utf-8")
    for number, given in enumerate([str(path), path, [path], (str(path),)]):
        data_set_of(given, tmp_path / str(number))
        assert contents(tmp_path / str(number)) == contents(tmp_path / "0")
    assert data_set_of(tmp_path / "0", tmp_path / "none") == str(tmp_path / "0")
    assert not (tmp_path / "none").exists()


def test_shards_without_a_manifest_are_not_read_as_groups(tmp_path) -> None:
    data_set_of(GROUPS, tmp_path / "data")
    (tmp_path / "data" / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"not a data set \(manifest\.json is missing\)"):
        read_shards(data_set_of(tmp_path / "data", tmp_path / "other"))


def test_a_data_set_is_replaced_with_fresh_only(tmp_path) -> None:
    data_set_of(GROUPS, tmp_path / "data")
    with pytest.raises(UserError, match="a data set is there already"):
        data_set_of({"a": ["x", "y"]}, tmp_path / "data")
    data_set_of({"a": ["x", "y"]}, tmp_path / "data", fresh=True)
    assert list(read_shards(tmp_path / "data")[0].groups) == [Group("a", ("x", "y"))]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"k": "ab"}, r"groups, group 'k': texts must be a list of strings, found \"ab\""),
        ({"k": ["a", 1]}, "groups, group 'k': texts must be strings, found 1"),
        ({"k": ["a", " "]}, "groups, group 'k': has an empty text. Remove it"),
        ({"k": ["a", "\ud800"]}, "groups, group 'k': holds half of a surrogate pair"),
        ({1: ["a", "b"], "1": ["c", "d"]}, "groups: group '1' occurs more than once"),
        ({"k": ["a"]}, "groups: no group has two different texts"),
        ([["a", "b"], "cd"], r"groups\[1\]: expected a list of texts, found \"cd\""),
        ([["a", "b"], ["c", None]], "groups, group '1': texts must be strings, found null"),
        ([("a", "b", 1), ("c", "d")], r"groups\[1\]: expected \(text1, text2, label\), found"),
        ([("a", "b", 1), ("c", "d", 2)], r"groups\[1\]: the label is '2'; it must be 0 or 1, or"),
        ([("a", "b", 1), ("c", " ", 0)], r"groups\[1\]: has an empty text. Remove the row"),
        ([("a", 3, 1)], r"groups\[0\]: the texts must be strings, found \"a\" and 3"),
        ([("a", "b", 0)], "groups: no positive pair"),
        ([], "groups: holds nothing. Accepted are"),
        ({}, "groups: no group has two different texts"),
        (3, "groups: cannot be read from 3. Accepted are"),
        (None, "groups: cannot be read from null. Accepted are"),
        (pd.DataFrame({"id": [1]}), "groups: has the columns id. Expected are `id`"),
        (pd.DataFrame({"id": [1], "texts": ["ab"]}, index=["x"]), "groups, row x, group '1': "),
        (
            pd.DataFrame({"id": [1], "text1": ["a"], "text3": ["b"], "label": [1]}),
            "which of them are the two texts",
        ),
        (FRAME.assign(label=7).set_index(FRAME.index + 7), "groups, row 7: the label is '7'"),
        (FRAME.assign(sentence1=None), "groups, row 0: the texts must be strings"),
        ("no/such/file.json", "no/such/file.json: no such file"),
    ],
)
def test_what_cannot_be_used_is_named_and_leaves_nothing(tmp_path, groups, message) -> None:
    with pytest.raises(UserError, match=message):
        data_set_of(groups, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_development_pairs_come_from_a_file_a_list_or_a_frame(tmp_path) -> None:
    path = tmp_path / "dev.tsv"
    path.write_text("".join(f"{a}\t{b}\t{y}\n" for a, b, y in TRIPLES), encoding="utf-8")
    expected = [Pair(*row) for row in TRIPLES]
    for dev in (str(path), path, [path], TRIPLES, expected, FRAME):
        assert pairs_of(dev) == expected
    assert pairs_of([("a", "", 0), ("b", "c", 1)])[0] == Pair("a", "", 0)


@pytest.mark.parametrize(
    ("dev", "message"),
    [
        (GROUPS, "dev: holds groups, where labelled pairs are expected"),
        ([["a", "b"]], "dev: holds groups"),
        ([("a", "b", 1)], r"dev: no negative \(label 0\) pair among 1"),
        (FRAME.assign(label="same"), "dev, row 0: the label is 'same'"),
    ],
)
def test_development_pairs_that_cannot_be_used_are_refused(dev, message) -> None:
    with pytest.raises(UserError, match=message):
        pairs_of(dev)
