"""The demo's FAQ: synthetic, reproducible, and a test that shares no text with training."""

import csv
import json
import re
import runpy
import shutil
from collections import Counter

import pytest
from paths import ROOT

FAQ = ROOT / "data" / "faq"
WRITTEN = ("faq.csv", "paraphrases.json", "dev.txt", "queries.tsv")


def bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def lines(name: str) -> list[str]:
    return (FAQ / name).read_text(encoding="utf-8").splitlines()


def rows(name: str, delimiter: str) -> list[dict[str, str]]:
    with (FAQ / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture(scope="module")
def entries() -> list[dict[str, str]]:
    return rows("faq.csv", ",")


@pytest.fixture(scope="module")
def queries() -> list[dict[str, str]]:
    return rows("queries.tsv", "\t")


@pytest.fixture(scope="module")
def groups() -> dict[str, list[str]]:
    return json.loads((FAQ / "paraphrases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pairs() -> list[list[str]]:
    return [line.split("\t") for line in lines("dev.txt")]


def test_there_are_many_entries_of_several_domains_each_with_an_answer(entries) -> None:
    assert len(entries) >= 240
    domains = Counter(entry["domain"] for entry in entries)
    assert len(domains) == 12 and min(domains.values()) >= 20
    assert all(set(entry) == {"id", "question", "answer", "domain"} for entry in entries)
    assert all(entry["answer"].count("。") in (2, 3) for entry in entries)


def test_ids_and_questions_and_answers_are_given_once(entries) -> None:
    for column in ("id", "question", "answer"):
        assert len({entry[column] for entry in entries}) == len(entries)


def test_every_entry_has_queries_and_every_query_an_entry(entries, queries) -> None:
    counts = Counter(row["id"] for row in queries)
    assert set(counts) == {entry["id"] for entry in entries}
    assert min(counts.values()) >= 2


def test_every_entry_has_a_group_that_begins_with_its_question(entries, groups) -> None:
    questions = {entry["id"]: entry["question"] for entry in entries}
    assert {name: texts[0] for name, texts in groups.items()} == questions
    assert all(len(set(texts)) == len(texts) >= 12 for texts in groups.values())


def test_development_pairs_compare_with_questions_and_hold_both_labels(entries, pairs) -> None:
    questions = {entry["question"] for entry in entries}
    assert len(pairs) >= 800
    assert {len(row) for row in pairs} == {3}
    assert {second for _, second, _ in pairs} <= questions
    assert 0.2 < sum(label == "1" for *_, label in pairs) / len(pairs) < 0.5


def test_off_topic_questions_are_many(pairs) -> None:
    assert len(lines("off_topic.txt")) >= 100
    positive = {first for first, _, label in pairs if label == "1"}
    only_negative = {first for first, *_ in pairs} - positive
    assert only_negative == set(lines("source/off_topic_dev.txt"))
    assert len(only_negative) >= 60


def test_no_text_is_in_two_parts(groups, queries, pairs) -> None:
    parts = {
        "training": [text for texts in groups.values() for text in texts],
        "development": list({first for first, *_ in pairs}),
        "queries": [row["query"] for row in queries],
        "off-topic": lines("off_topic.txt"),
    }
    owners = {name: Counter(map(bare, texts)) for name, texts in parts.items()}
    for name in ("development", "queries", "off-topic"):
        assert max(owners[name].values()) == 1, name
    for name, texts in owners.items():
        for other in owners:
            assert name == other or not texts.keys() & owners[other].keys(), (name, other)


def test_no_training_text_is_of_two_entries(groups) -> None:
    counts = Counter(text for texts in groups.values() for text in {bare(t) for t in texts})
    assert [text for text, count in counts.items() if count > 1] == []


def test_generator_writes_the_same_bytes_and_says_that_the_data_is_synthetic(tmp_path) -> None:
    shutil.copytree(FAQ / "source", tmp_path / "source")
    for name in ("generate.py", "off_topic.txt"):
        shutil.copy(FAQ / name, tmp_path)
    runpy.run_path(str(tmp_path / "generate.py"), run_name="__main__")
    for name in WRITTEN:
        assert (tmp_path / name).read_bytes() == (FAQ / name).read_bytes(), name
    assert "synthetic" in (FAQ / "generate.py").read_text(encoding="utf-8")
