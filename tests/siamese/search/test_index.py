"""An index finds what comparing with every text finds, with the model it was made with."""

import numpy as np
import pytest
from compared_index import EVERYTHING, KINDS, TEXTS, by_comparing, encoder, numbered
from small_encoder import small_encoder

from siamese import Entry, Index, UserError


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
