"""Whole audits, by made-up scores: what an encoder says of labels is not at stake here."""

import json
from itertools import pairwise

import numpy as np
import pytest
from folder_bytes import contents

from siamese.audit.audit import Asked, audit
from siamese.audit.labels import read_labels
from siamese.audit.scoring import FoldScores
from siamese.config.loading import load_recipe
from siamese.data.pair import Pair
from siamese.errors import UserError

FLIPPED = {3, 40, 77}


def pairs(count: int = 60) -> list[Pair]:
    """Questions with a paraphrase and another text each; some labels are flipped."""
    found = []
    for n in range(count):
        found += [
            Pair(f"怎么办理{n}", f"如何办理{n}", 1.0),
            Pair(f"怎么办理{n}", f"多少钱{n}", 0.0),
        ]
    return [Pair(p.text1, p.text2, 1 - p.grade) if n in FLIPPED else p for n, p in enumerate(found)]


def truth(pair: Pair) -> float:
    return float("多少" not in pair.text2)


def knowing(score, folds):
    """Score as an encoder that knows the truth; what is across bridges looks different."""
    labels = read_labels(score.data)
    rng = np.random.default_rng(2)
    for fold in reversed(folds):
        inside = [labels.pairs[n] for n in np.flatnonzero(score.folds == fold)]
        scores = np.array([truth(p) for p in inside])
        across = np.zeros(int((score.across_folds == fold).sum()))
        yield fold, FoldScores(scores + rng.normal(0, 0.1, len(scores)), across, 0.5)


def run(folder, source=None, output=None, apply=knowing, **options):
    asked = Asked(load_recipe("audit", []), **options)
    return audit(source or pairs(), str(folder), asked, output and str(output), apply=apply)


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


WEAK = [
    ("甲0", "甲1"),
    ("甲1", "甲2"),
    ("甲0", "甲2"),
    ("乙0", "乙1"),
    ("乙1", "乙2"),
    ("乙0", "乙2"),
]


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An audit of the pairs, and of two triangles that one pair joins; and the data it left."""
    folder = tmp_path_factory.mktemp("audited")
    source = pairs() + [Pair(*texts, 1.0) for texts in [*WEAK, ("甲2", "乙0")]]
    dev = [("怎么办理7？", "多少钱7", 1), ("全新", "没有", 0)]
    _, left_out = run(folder / "audit", source, folder / "cleaned", dev=dev, share=4 / 127)
    return folder, left_out


def test_flipped_labels_come_first_and_say_why(audited) -> None:
    rows = lines(audited[0] / "audit" / "doubts.jsonl")
    assert len(rows) == 127
    assert all(one["doubt"] >= two["doubt"] for one, two in pairwise(rows))
    flipped = {(p.text1, p.text2) for n, p in enumerate(pairs()) if n in FLIPPED}
    assert {(row["text1"], row["text2"]) for row in rows[:4]} > flipped
    for row in rows[:3]:
        assert row["doubt"] == pytest.approx(abs(row["grade"] - row["expected"]), abs=2e-4)
        assert "never saw its label" in row["why"][0]
    assert rows[-1]["why"] == []


def test_the_figures_and_the_page_are_there(audited) -> None:
    folder = audited[0] / "audit"
    about = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    assert about["figures"]["pairs"] == 127
    assert about["figures"]["weak_groups"] == 1
    assert about["left_out"] == {"doubtful_pairs": 4, "overlapping_pairs": 2, "texts": 2}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in (lines(folder / "doubts.jsonl")[0]["text1"], "甲2", "怎么办理7？"):
        assert text in page


def test_output_is_without_the_most_doubtful_pairs_and_without_development_texts(audited) -> None:
    folder, left_out = audited
    rows = lines(folder / "audit" / "doubts.jsonl")
    gone = {(row["text1"], row["text2"]) for row in rows[:4]}
    gone |= {("怎么办理7", "如何办理7"), ("怎么办理7", "多少钱7")}
    kept = {(p.text1, p.text2) for p in read_labels(str(folder / "cleaned")).pairs}
    assert kept == {(row["text1"], row["text2"]) for row in rows} - gone
    assert str(left_out) == (
        "without the 4 most doubtful pairs, and without 2 texts that are development ones too and "
        "the 2 other pairs that have them"
    )


def test_development_texts_and_pairs_are_listed(audited) -> None:
    rows = lines(audited[0] / "audit" / "overlaps.jsonl")
    assert [row["what"] for row in rows] == ["pair", "text", "text"]
    assert (rows[0]["grade"], rows[0]["dev_grade"]) == (0, 1)
    assert {row["equal"] for row in rows} == {
        "as it is",
        "without punctuation, spaces, case and width",
    }


def test_a_group_that_one_weak_pair_holds_together_is_shown(audited) -> None:
    folder = audited[0] / "audit"
    [row] = lines(folder / "groups.jsonl")
    assert {row["text1"], row["text2"]} == {"甲2", "乙0"}
    sides = [set(row["side1"]), set(row["side2"])]
    assert {"甲0", "甲1", "甲2"} in sides and {"乙0", "乙1", "乙2"} in sides
    assert row["across"] < row["threshold"]
    why = {frozenset((r["text1"], r["text2"])): r["why"] for r in lines(folder / "doubts.jsonl")}
    assert any("alone joins two parts" in each for each in why[frozenset(("甲2", "乙0"))])


def test_what_is_in_the_way_is_refused_before_any_work(tmp_path) -> None:
    def never(score, folds):
        raise AssertionError("scored")

    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"is not an audit \(mine.txt is in it\)"):
        run(tmp_path / "notes", apply=never)
    with pytest.raises(UserError, match="exists and is not a data set"):
        run(tmp_path / "audit", output=tmp_path / "notes", apply=never)
    with pytest.raises(UserError, match="is used for something else"):
        run(tmp_path / "audit", output=tmp_path / "audit", apply=never)
    assert not (tmp_path / "audit").exists()


def test_an_audit_is_replaced_only_when_asked_to(tmp_path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="an audit is there already"):
        run(tmp_path / "audit")
    asked = Asked(load_recipe("audit", []))
    audit(pairs(30), str(tmp_path / "audit"), asked, fresh=True, apply=knowing)
    assert len(lines(tmp_path / "audit" / "doubts.jsonl")) == 60


def test_nothing_is_left_of_an_audit_that_failed(tmp_path) -> None:
    def failing(score, folds):
        raise UserError("too small a batch")
        yield

    with pytest.raises(UserError, match="too small"):
        run(tmp_path / "audit", output=tmp_path / "cleaned", apply=failing)
    assert list(tmp_path.iterdir()) == []


def test_the_same_data_and_scores_give_the_same_bytes(tmp_path) -> None:
    for name in ("one", "two"):
        run(tmp_path / name, pairs(30))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
