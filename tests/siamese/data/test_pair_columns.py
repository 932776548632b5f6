"""Which columns hold labelled pairs or triplets, in every kind of table."""

import json

import pandas as pd
import pytest
from input_files import parquet, text_rows, write

from siamese.data.format import find_inputs
from siamese.data.in_memory import pairs_of
from siamese.data.pair import Pair
from siamese.data.pair_columns import find_columns, holds_pairs
from siamese.data.reading import read_pairs, read_texts
from siamese.testing.formats import check_format

TRIPLETS = [Pair("甲", "乙", 1), Pair("甲", "丙", 0), Pair("丁", "戊", 1), Pair("丁", "己", 0)]
CELLS = [["甲", "乙", "丙"], ["丁", "戊", "己"]]
GRADED = [Pair("甲", "乙", 1), Pair("甲", "丙", 0.2), Pair("丁", "戊", 0.8)]


@pytest.mark.parametrize(
    ("names", "positions"),
    [
        ("text1 text2 label", (0, 1, 2)),
        ("label sentence2 sentence1", (2, 1, 0)),
        ("id sentence1 sentence2 score", (1, 2, 3)),
        ("sentence1 sentence2 score label", (0, 1, 3)),
        ("q a similarity", (0, 1, 2)),
        ("q a similarity_score", (0, 1, 2)),
        ("text1 text2 score_0_to_5", (0, 1, 2)),
        ("text1 text2 nli_2_entailment_1_neutral_0_contradiction", (0, 1, 2)),
        ("anchor positive score", (0, 1, 2)),
        ("anchor positive", (0, 1)),
        ("negative anchor positive", (1, 2, 0)),
        ("anchor positive negative_1 negative_2", (0, 1, 2, 3)),
        ("query pos neg", (0, 1, 2)),
        ("text1 text2", None),
        ("text1 text2 x y2", None),
        ("id a b label", None),
        ("id texts negatives", None),
        ("text vector", None),
    ],
)
def test_columns_are_found_by_their_names(names, positions):
    found = find_columns(names.split())
    assert (found and found.positions) == positions


@pytest.mark.parametrize(
    ("names", "pairs"),
    [("id texts score", False), ("text1 text2 score", True), ("id foo label", True)],
)
def test_a_table_of_texts_is_of_groups_unless_it_has_labels(names, pairs):
    assert holds_pairs(names.split()) == pairs


def jsonl(rows) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


NAMES = ["anchor", "positive", "negative"]
TRIPLET_FILES = {
    "a.tsv": text_rows("\t", [NAMES, *CELLS]),
    "a.csv": text_rows(",", [NAMES, *CELLS]),
    "missing.csv": "anchor,positive,negative,negative_2\n甲,乙,,丙\n丁,戊,己,\n",
    "a.parquet": parquet(**{n: [r[i] for r in CELLS] for i, n in enumerate(NAMES)}),
    "lists.parquet": parquet(query=["甲", "丁"], pos=[["乙"], ["戊"]], neg=[["丙"], ["己"]]),
    "a.jsonl": jsonl(dict(zip(NAMES, row, strict=True)) for row in CELLS),
    "a.json": jsonl(dict(zip(NAMES, row, strict=True)) for row in CELLS),
    "flag.jsonl": jsonl({"query": a, "pos": [b], "neg": [c], "prompt": ""} for a, b, c in CELLS),
    "flag.json": jsonl({"query": a, "pos": [b], "neg": [c]} for a, b, c in CELLS),
    "strings.jsonl": jsonl({"query": a, "pos": b, "neg": c} for a, b, c in CELLS),
    "ragged.jsonl": '{"anchor": "甲", "positive": "乙", "negative": null, "negative_1": "丙"}\n'
    '{"anchor": "丁", "positive": "戊", "negative": "己"}',
}
GRADED_FILES = {
    "a.tsv": "text1\ttext2\tscore_0_to_5\n甲\t乙\t5\n甲\t丙\t1\n丁\t戊\t4\n",
    "a.csv": "id,sentence1,sentence2,similarity\n1,甲,乙,1\n2,甲,丙,.2\n3,丁,戊,0.8\n",
    "a.jsonl": jsonl(
        {"sentence1": a, "sentence2": b, "score": s}
        for a, b, s in [("甲", "乙", 5), ("甲", "丙", 1.0), ("丁", "戊", "4")]
    ),
    "a.parquet": parquet(text1=["甲", "甲", "丁"], text2=["乙", "丙", "戊"], label=[5.0, 1, 4]),
}


@pytest.mark.parametrize("name", TRIPLET_FILES)
def test_triplets_are_labelled_pairs_in_every_format(tmp_path, name):
    file = write(tmp_path / name, TRIPLET_FILES[name])
    assert read_pairs([str(file)]) == TRIPLETS
    assert list(read_texts([str(file)])) == [t for p in TRIPLETS for t in (p.text1, p.text2)]


@pytest.mark.parametrize("name", GRADED_FILES)
def test_grades_are_read_in_every_format_and_a_note_says_so(tmp_path, name, capsys):
    file = write(tmp_path / name, GRADED_FILES[name])
    assert read_pairs([str(file)]) == GRADED
    assert f"{file}: grades 0 to " in capsys.readouterr().err


def test_grades_and_triplets_may_be_in_memory():
    frame = pd.DataFrame(CELLS, columns=NAMES)
    assert pairs_of(frame) == TRIPLETS
    names = ["text1", "text2", "score_0_to_5"]
    frame = pd.DataFrame([["甲", "乙", 5], ["甲", "丙", 1], ["丁", "戊", 4]], columns=names)
    assert pairs_of(frame) == GRADED
    assert pairs_of([(p.text1, p.text2, p.grade) for p in GRADED]) == GRADED
    assert pairs_of(GRADED) == GRADED


def test_labelled_pairs_of_clue(tmp_path):
    rows = [
        {"sentence1": "甲", "sentence2": "乙", "label": "1"},
        {"sentence1": "甲", "sentence2": "丙", "label": "0", "id": 3},
    ]
    for name in ("a.json", "a.jsonl"):
        file = write(tmp_path / name, jsonl(rows))
        assert read_pairs([str(file)]) == TRIPLETS[:2]


@pytest.mark.parametrize("name", ["flag.jsonl", "lists.parquet", "a.json"])
def test_formats_of_triplets_keep_the_laws(tmp_path, name):
    file = write(tmp_path / name, TRIPLET_FILES[name])
    [(_, format)] = find_inputs([str(file)])
    check_format(format, file)


def test_one_object_of_groups_may_have_the_names_of_triplets(tmp_path):
    file = write(tmp_path / "a.json", '{"query": ["a", "b"], "pos": ["c", "d"]}')
    [(file_, format)] = find_inputs([str(file)])
    assert format.holds(file_) == "groups"
