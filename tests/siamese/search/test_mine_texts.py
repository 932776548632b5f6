"""`siamese mine`: pairs and groups of texts that are alike."""

import json

import pytest
from small_encoder import small_encoder

from siamese.data.cleaning import ReadingCounts
from siamese.data.reading import read_groups
from siamese.search.dedup import Rows
from siamese.search.mine_texts import examples, mine, write_groups, write_pairs

TEXTS = [
    "快递到哪了",
    "怎么修改密码",
    "快递到哪了？",
    "快递到哪了",
    "",
    "怎么修改密码呢",
    "ไทย",
    "ab",
]


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


@pytest.fixture
def mined(encoder, tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    return mine(Rows([str(path)]), encoder, 0.9)


def test_pairs_are_of_different_texts_the_most_similar_first(mined, encoder, tmp_path):
    write_pairs(mined, str(tmp_path / "p.jsonl"), ".jsonl")
    lines = (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [tuple(json.loads(line).values()) for line in lines]
    texts = [TEXTS[0], TEXTS[1], TEXTS[2], TEXTS[5]]
    expected = [
        (one, other, similarity)
        for i, other in enumerate(texts)
        for one in texts[:i]
        if (similarity := encoder.similarity(one, other)) > 0.9
    ]
    assert pairs == sorted(expected, key=lambda pair: -pair[2])
    assert ("快递到哪了", "快递到哪了？") in [pair[:2] for pair in pairs]
    assert (mined.compared, mined.unknown) == (4, 2)
    assert [pair[1:] for pair in examples(mined)] == [pair[:2] for pair in pairs]


def test_groups_are_read_back_as_groups(mined, tmp_path):
    write_groups(mined, str(tmp_path / "g.jsonl"))
    groups = list(read_groups([str(tmp_path / "g.jsonl")], ReadingCounts()))
    assert [group.texts for group in groups] == [
        tuple(mined.texts_of(rows)) for rows in mined.groups
    ]
    assert ("快递到哪了", "快递到哪了？") in [group.texts[:2] for group in groups]


def test_nothing_alike_makes_empty_files(encoder, tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("快递到哪了\n", encoding="utf-8")
    found = mine(Rows([str(path)]), encoder, 0.9)
    write_pairs(found, str(tmp_path / "p.tsv"), ".tsv")
    write_groups(found, str(tmp_path / "g.jsonl"))
    assert (tmp_path / "p.tsv").read_text() == "text1\ttext2\tscore\n"
    assert (tmp_path / "g.jsonl").read_text() == ""
    assert examples(found) == []
