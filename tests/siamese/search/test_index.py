"""An index finds what comparing with every text finds, whatever it went through."""

import math
import threading
import uuid
from functools import cache

import numpy as np
import pytest
from small_encoder import small_encoder
from small_index import some_texts

from siamese import Entry, Index, UserError
from siamese.search import change
from siamese.search import index as index_module
from siamese.storage.folder import Folder
from siamese.storage.ownership import owning

KINDS = ["cosine", "notebook"]
TEXTS = some_texts(60)
EVERYTHING = -math.inf


@cache
def encoder(kind="cosine"):
    return small_encoder(f"evaluation.similarity={kind}")


@pytest.fixture
def index(tmp_path) -> Index:
    return Index.build(TEXTS[:50], encoder(), tmp_path / "index", threshold=0.5)


def by_comparing(query, entries, k, threshold, kind="cosine"):
    """The same, restated: every entry compared by itself, sorted."""
    scores = encoder(kind).similarity([query], [entry.text for entry in entries])[0].tolist()
    best = sorted(zip(scores, entries, strict=True), key=lambda pair: -pair[0])[:k]  # stable
    return [
        (entry.id, entry.text, score, entry.fields) for score, entry in best if score > threshold
    ]


def numbered(texts, first=1) -> list[Entry]:
    return [Entry(str(n), text, {}) for n, text in enumerate(texts, start=first)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [EVERYTHING, 0.2])
def test_finds_what_comparing_with_every_text_finds(tmp_path, kind, threshold) -> None:
    texts = [*TEXTS[:40], *TEXTS[:5]]
    built = Index.build(texts, encoder(kind), tmp_path / "index")
    queries = [*TEXTS[35:45], "密码"]
    for k in (1, 7, len(texts)):
        expected = [by_comparing(q, numbered(texts), k, threshold, kind) for q in queries]
        assert built.search_many(queries, k, threshold) == expected
        assert [built.search(q, k, threshold) for q in queries] == expected


def test_hits_bring_what_belongs_to_them(tmp_path) -> None:
    entry = Entry("退-1", "怎么修改密码", {"answer": "在设置里", "n": 7, "tags": ["a", None]})
    built = Index.build([entry], encoder(), tmp_path / "index")
    [hit] = built.search("怎么修改密码")
    assert hit == ("退-1", "怎么修改密码", pytest.approx(1), entry.fields)
    assert hit.id == "退-1" and hit.score == encoder().similarity("怎么修改密码", "怎么修改密码")


def test_it_abstains_below_its_threshold_unless_asked_for_more(index) -> None:
    query = TEXTS[55]
    best = index.search(query, 1, EVERYTHING)[0].score
    assert index.search(query, threshold=best) == []  # above it, not at it
    assert len(index.search(query, 1, np.nextafter(best, 0))) == 1
    assert all(hit.score > 0.5 for hit in index.search(TEXTS[0]))


def test_the_threshold_is_the_models_unless_given(tmp_path) -> None:
    built = Index.build(TEXTS[:3], encoder(), tmp_path / "index")
    assert (built.threshold, Index.open(tmp_path / "index", encoder()).threshold) == (0.25, 0.25)


def test_five_hits_are_returned_or_all_of_fewer(tmp_path, index) -> None:
    assert len(index.search("密码", threshold=EVERYTHING)) == 5
    small = Index.build(TEXTS[:3], encoder(), tmp_path / "small")
    assert len(small.search("密码", threshold=EVERYTHING)) == 3


def test_an_opened_index_is_the_one_that_was_built(tmp_path, index) -> None:
    opened = Index.open(tmp_path / "index", encoder())
    queries = TEXTS[45:]
    assert opened.search_many(queries, 9) == index.search_many(queries, 9)
    assert (len(opened), opened.version, opened.fingerprint) == (
        50,
        index.version,
        encoder().fingerprint,
    )
    assert opened.search_many([]) == []


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


def test_another_model_is_refused_by_its_fingerprint(tmp_path, index) -> None:
    other = small_encoder(seed=8)
    with pytest.raises(
        UserError,
        match=f"another model: {encoder().fingerprint[:12]}, not {other.fingerprint[:12]}",
    ):
        Index.open(tmp_path / "index", other)
    same = small_encoder()
    same.threshold = 0.9
    assert Index.open(tmp_path / "index", same).threshold == 0.5


def test_where_no_model_is_remembered_one_must_be_given(tmp_path, index) -> None:
    with pytest.raises(UserError, match="does not say where its model is"):
        Index.open(tmp_path / "index")


def test_the_model_is_remembered_by_its_place(tmp_path, monkeypatch) -> None:
    loaded = []

    def load(folder):
        loaded.append(str(folder))
        if len(loaded) > 2:
            raise UserError(f"{folder}: no such folder.")
        return encoder()

    monkeypatch.setattr("siamese.encoder.sentence_encoder.SentenceEncoder.load", load)
    monkeypatch.chdir(tmp_path)
    Index.build(["甲"], "run/best", "index")
    Index.open("index")
    assert loaded == ["run/best", str(tmp_path / "run/best")]
    with pytest.raises(UserError, match=r"index: its model cannot be used: .*--model"):
        Index.open("index")


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


def test_the_folder_stays_what_it_was_wherever_the_process_goes(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    built = Index.build(TEXTS[:9], encoder(), "index")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    built.add(["密码"])
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(Index.open(tmp_path / "index", encoder())) == 10


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
