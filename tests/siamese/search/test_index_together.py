"""An index that others change, read or are killed at: its old state or its new one, whole."""

import threading

import pytest
from compared_index import EVERYTHING, TEXTS, encoder

from siamese import Entry, Index, UserError
from siamese.search import index as index_module
from siamese.storage.ownership import owning


def test_an_open_index_takes_up_what_others_changed(tmp_path, index) -> None:
    other = Index.open(tmp_path / "index", encoder())
    assert not other.refresh()
    index.remove(["1"])
    assert len(other) == 50 and len(other.search(TEXTS[0], 50, EVERYTHING)) == 50
    assert other.refresh() and other.version == index.version
    assert len(other) == 49
    index.add([TEXTS[0]])
    other.remove(["2"])  # of what is there now, and not of what was open
    assert index.refresh() and len(index) == 49
    assert index.search(TEXTS[0], 1)[0].id == "51"


def test_a_change_is_refused_while_another_process_makes_one(tmp_path, index) -> None:
    with owning(tmp_path / "index"), pytest.raises(UserError, match="is in use by"):
        index.add(["甲"])
    assert index.add(["甲"]) == 1


def test_a_kill_during_a_change_leaves_the_old_state(tmp_path, index, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    monkeypatch.setattr(index._folder, "commit", die)
    monkeypatch.setattr(index._folder, "clean", lambda manifest: None)  # nobody cleans up
    with pytest.raises(Killed):
        index.replace([Entry("1", "密码", {})])
    leftovers = len(list((tmp_path / "index").glob("segment-*")))
    opened = Index.open(tmp_path / "index", encoder())
    assert len(opened) == 50
    assert opened.get(["1"]) == [Entry("1", TEXTS[0], {})]
    opened.add(["密码"])
    assert len(list((tmp_path / "index").glob("segment-*"))) < leftovers + 3
    assert len(Index.open(tmp_path / "index", encoder())) == 51


def test_what_stops_a_change_after_its_commit_leaves_the_new_state(
    tmp_path, index, monkeypatch
) -> None:
    clean, asked = index._folder.clean, []

    def stopped_once(manifest) -> None:
        asked.append(manifest)
        if len(asked) == 2:  # the first is of what a killed process may have left
            raise KeyboardInterrupt
        clean(manifest)

    monkeypatch.setattr(index._folder, "clean", stopped_once)
    with pytest.raises(KeyboardInterrupt):
        index.replace([Entry("1", "密码", {})])
    opened = Index.open(tmp_path / "index", encoder())
    assert (len(opened), opened.get(["1"])) == (50, [Entry("1", "密码", {})])
    assert len(asked) == 3


def test_a_reader_that_comes_in_between_opens_the_new_state(tmp_path, index, monkeypatch) -> None:
    index.add(TEXTS[50:52])
    reader = index_module.IndexFolder(tmp_path / "index")
    read = reader.read
    done = []

    def read_then_others_change():
        manifest = read()
        if not done:
            done.append(index.remove([str(n) for n in range(1, 45)]))  # written anew: files go
        return manifest

    monkeypatch.setattr(reader, "read", read_then_others_change)
    opened = Index(reader, encoder())
    assert len(opened) == 8 and opened.version == index.version


def test_a_search_finds_all_of_a_change_or_nothing(tmp_path, index) -> None:
    texts = [f"{text}密码" for text in TEXTS[:10]]
    counts, done = set(), threading.Event()

    def search() -> None:
        while not done.is_set():
            hits = index.search("密码", len(index), EVERYTHING)
            counts.add(sum(hit.id.startswith("n") for hit in hits))

    thread = threading.Thread(target=search)
    thread.start()
    for _ in range(5):
        index.add([Entry(f"n{n}", text, {}) for n, text in enumerate(texts)])
        index.remove([f"n{n}" for n in range(len(texts))])
    done.set()
    thread.join()
    assert counts <= {0, 10}
