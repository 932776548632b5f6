"""An index that was changed finds what one that is built of the same entries does."""

import uuid

import pytest
from compared_index import EVERYTHING, KINDS, TEXTS, by_comparing, encoder, numbered

from siamese import Entry, Index, UserError
from siamese.search import change
from siamese.storage.folder import Folder


@pytest.mark.parametrize("kind", KINDS)
def test_changes_lead_to_what_was_built_of_the_same_entries(tmp_path, kind) -> None:
    changed = Index.build(numbered(TEXTS[:30]), encoder(kind), tmp_path / "changed")
    versions = {changed.version}
    assert changed.add(numbered(TEXTS[30:40], 31)) == 10
    versions.add(changed.version)
    assert changed.remove(["3", "31", "4"]) == 3
    versions.add(changed.version)
    assert changed.replace([Entry("7", TEXTS[50], {"new": True}), Entry("40", "密码", {})]) == 2
    versions.add(changed.version)
    assert len(versions) == 4
    kept = [e for e in numbered(TEXTS[:40]) if e.id not in {"3", "31", "4", "7", "40"}]
    entries = [*kept, Entry("7", TEXTS[50], {"new": True}), Entry("40", "密码", {})]
    assert len(changed) == len(entries) == 37
    for index in (changed, Index.open(tmp_path / "changed", encoder(kind))):
        for query in TEXTS[25:60]:
            expected = by_comparing(query, entries, 37, EVERYTHING, kind)
            assert index.search(query, 37, EVERYTHING) == expected
    ids = ["7", "3", "40", "1"]
    assert changed.get(ids) == [entries[-2], None, entries[-1], entries[0]]


def test_many_small_changes_leave_few_files_and_all_texts(tmp_path) -> None:
    grown = Index.build(TEXTS[:1], encoder(), tmp_path / "index")
    for text in TEXTS[1:30]:
        grown.add([text])
    assert len(list((tmp_path / "index").glob("*.npy"))) <= 2 * 5
    entries = numbered(TEXTS[:30])
    assert grown.search("密码", 30, EVERYTHING) == by_comparing("密码", entries, 60, EVERYTHING)
    for n in range(1, 30):
        grown.remove([str(n)])
    assert [hit.id for hit in grown.search("密码", threshold=EVERYTHING)] == ["30"]
    assert sum(path.stat().st_size for path in (tmp_path / "index").iterdir()) < 10_000
    grown.remove(["30"])
    assert (len(grown), grown.search("密码")) == (0, [])
    grown.add(["密码"])
    assert [hit.id for hit in grown.search("密码")] == ["31"]


def test_adding_few_texts_leaves_the_files_of_many_as_they_are(tmp_path, index) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "index").glob("segment-*")}
    index.add(TEXTS[50:53])
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "index").glob("segment-*")}
    assert before.items() < after.items()


def test_ids_that_are_made_are_new_ones(tmp_path) -> None:
    built = Index.build([Entry("2", TEXTS[0], {}), TEXTS[1]], encoder(), tmp_path / "index")
    built.add([TEXTS[2], TEXTS[3]])
    built.remove(["1"])
    built.add([TEXTS[4]])
    assert [hit.id for hit in built.search(TEXTS[4], 1, EVERYTHING)] == ["5"]
    assert built.get(["2", "3", "4"]) == [
        Entry("2", TEXTS[0], {}),
        Entry("3", TEXTS[2], {}),
        Entry("4", TEXTS[3], {}),
    ]


def test_the_folder_stays_what_it_was_wherever_the_process_goes(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = Index.build(TEXTS[:9], encoder(), "index")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    built.add(["密码"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(Index.open(tmp_path / "index", encoder())) == 10


def test_at_a_uri_it_is_built_searched_and_changed_too(tmp_path, index) -> None:
    uri = f"memory://{uuid.uuid4().hex}/index"
    built = Index.build(TEXTS[:50], encoder(), uri, threshold=0.5)
    opened = Index.open(uri, encoder())
    for each in (built, index):
        each.add(TEXTS[50:])
        each.remove(["1", "55"])
    assert opened.refresh()
    again = Index.open(uri, encoder())
    for query in TEXTS[::7]:
        expected = index.search(query, 58, EVERYTHING)
        assert all(
            each.search(query, 58, EVERYTHING) == expected for each in (built, opened, again)
        )
    names = Folder(uri).names()
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == names
    with pytest.raises(UserError, match="holds an index"):
        Index.build(["甲"], encoder(), uri)
    assert Folder(uri).names() == names


def test_to_change_nothing_is_no_change(tmp_path, index) -> None:
    files, version = sorted((tmp_path / "index").iterdir()), index.version
    assert (index.add([]), index.replace([]), index.remove([])) == (0, 0, 0)
    assert (sorted((tmp_path / "index").iterdir()), index.version) == (files, version)


def test_segments_are_joined_by_size() -> None:
    class Sized(list):
        pass

    def joined(*sizes) -> list[int]:
        """The sizes after a change to segments of these."""
        new = change.Change.__new__(change.Change)
        new._segments = [Sized(range(size)) for size in sizes]
        new._joined = lambda segments: Sized(range(sum(map(len, segments))))
        new._join_last()
        return [len(segment) for segment in new._segments]

    assert joined() == []
    assert joined(5) == [5]
    assert joined(1000, 10) == [1000, 10]
    assert joined(1000, 20, 10) == [1000, 30]
    assert joined(1000, 21, 10) == [1000, 21, 10]
    assert joined(60, 20, 10) == [90]
