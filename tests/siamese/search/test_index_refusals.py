"""What an index refuses, and that nothing is changed or built then."""

import math

import pytest
from compared_index import encoder

from siamese import Entry, Index, UserError


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda index: index.search(""), "the question is empty"),
        (lambda index: index.search(" \n"), "the question is empty"),
        (lambda index: index.search(None), "the question must be a string, found null"),
        (lambda index: index.search_many(["x", ""]), "question 2 is empty"),
        (lambda index: index.search_many("x"), "expected a list of questions"),
        (lambda index: index.search("x", k=0), "k must be from 1 to 50, .* found 0"),
        (lambda index: index.search("x", k=51), "k must be from 1 to 50, .* found 51"),
        (lambda index: index.search("x", k=-1), "k must be from 1 to 50"),
        (lambda index: index.search("x", k=2.0), r"k must be a whole number, found 2\.0"),
        (lambda index: index.search("x", k=True), "k must be a whole number"),
        (lambda index: index.search("x", threshold="0.5"), "threshold must be a number"),
        (lambda index: index.search("x", threshold=math.nan), "threshold must be a number"),
        (lambda index: index.add(["甲", ""]), "entry 2: the text is empty"),
        (lambda index: index.add([Entry("7", "甲", {})]), "the id '7' is in the index already"),
        (lambda index: index.add([Entry("q", "甲", {})] * 2), "the id 'q' occurs twice"),
        (lambda index: index.replace([Entry("q", "甲", {})]), "the id 'q' is not in the index"),
        (lambda index: index.replace([Entry("7", "甲", {})] * 2), "the id '7' occurs twice"),
        (lambda index: index.replace(["甲"]), "entry 1: has no id"),
        (lambda index: index.remove(["7", "q"]), "the id 'q' is not in the index"),
        (lambda index: index.remove([7]), "an id must be a string, found 7"),
        (lambda index: index.remove("7"), "expected a list of ids"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(tmp_path, index, do, message) -> None:
    files, version = sorted((tmp_path / "index").iterdir()), index.version
    with pytest.raises(UserError, match=message):
        do(index)
    assert sorted((tmp_path / "index").iterdir()) == files
    assert (index.version, len(index)) == (version, 50)


@pytest.mark.parametrize(
    ("entries", "threshold", "message"),
    [
        ([], None, "there is no text"),
        (["甲", " "], None, "entry 2: the text is empty"),
        (["甲"], math.inf, "threshold"),
        (["甲"], -math.inf, "threshold"),
        (["甲"], "high", "threshold"),
    ],
)
def test_what_cannot_be_built_leaves_nothing(tmp_path, entries, threshold, message) -> None:
    with pytest.raises(UserError, match=message):
        Index.build(entries, encoder(), tmp_path / "new" / "index", threshold)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_kept_unless_it_is_an_index(tmp_path, index) -> None:
    with pytest.raises(UserError, match="holds an index"):
        Index.build(["甲"], encoder(), tmp_path / "index")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("x")
    for fresh in (False, True):
        with pytest.raises(UserError, match=r"holds something else \(letter\.txt\)"):
            Index.build(["甲"], encoder(), tmp_path / "other", fresh=fresh)
    (tmp_path / "other" / "letter.txt").rename(tmp_path / "other" / "manifest.json")
    with pytest.raises(UserError, match="holds something else"):
        Index.build(["甲"], encoder(), tmp_path / "other", fresh=True)
    assert (tmp_path / "other" / "manifest.json").read_text() == "x"
    with pytest.raises(UserError, match="is a file"):
        Index.build(["甲"], encoder(), tmp_path / "other" / "manifest.json")


def test_fresh_replaces_an_index_also_a_damaged_one(tmp_path, index) -> None:
    version = index.version
    for _ in range(2):
        built = Index.build(["密码"], encoder(), tmp_path / "index", fresh=True)
        assert [hit.text for hit in built.search("密码")] == ["密码"]
        assert built.version != version
        version = built.version
        assert len(list((tmp_path / "index").iterdir())) == 4
        manifest = tmp_path / "index" / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"x": 1'))


def test_an_index_that_fails_to_be_replaced_stays(tmp_path, index) -> None:
    files = sorted((tmp_path / "index").iterdir())
    with pytest.raises(UserError, match="entry 2"):
        Index.build(["甲", ""], encoder(), tmp_path / "index", fresh=True)
    assert sorted((tmp_path / "index").iterdir()) == files
    assert len(Index.open(tmp_path / "index", encoder())) == 50
