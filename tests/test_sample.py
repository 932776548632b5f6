"""The embedded sample: large enough, synthetic, reproducible, and honest about its test pairs."""

import json
import runpy
import shutil

import pytest
from paths import SAMPLE


@pytest.fixture(scope="module")
def train() -> dict[str, list[str]]:
    return json.loads((SAMPLE / "df_train.json").read_text(encoding="utf-8"))


def pairs(name: str) -> list[list[str]]:
    text = (SAMPLE / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def test_sizes(train) -> None:
    assert len(train) >= 400
    assert sum(map(len, train.values())) >= 2500
    test = pairs("df_test.txt")
    assert len(test) >= 1200
    assert {len(row) for row in test} == {3}
    assert sum(row[2] == "1" for row in test) / len(test) == pytest.approx(1 / 3, abs=0.03)


def test_many_negatives_share_most_of_their_characters() -> None:
    def overlap(a: str, b: str) -> float:
        return len(set(a) & set(b)) / min(len(set(a)), len(set(b)))

    negatives = [row for row in pairs("df_test.txt") if row[2] == "0"]
    assert sum(overlap(a, b) > 0.5 for a, b, _ in negatives) > len(negatives) / 4


def test_no_text_is_in_two_of_training_development_and_test(train) -> None:
    trained = {text for group in train.values() for text in group}
    dev = {text for row in pairs("df_dev.txt") for text in row[:2]}
    test = {text for row in pairs("df_test.txt") for text in row[:2]}
    assert not trained & dev and not trained & test and not dev & test


def test_generator_writes_the_same_bytes_and_says_that_the_data_is_synthetic(tmp_path) -> None:
    for name in ("generate.py", "intents.toml"):
        shutil.copy(SAMPLE / name, tmp_path)
    runpy.run_path(str(tmp_path / "generate.py"), run_name="__main__")
    for name in ("df_train.json", "df_dev.txt", "df_test.txt"):
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes()
    assert "synthetic" in (SAMPLE / "generate.py").read_text(encoding="utf-8")


def test_vectors_are_word2vec_text_of_most_characters(train) -> None:
    lines = (SAMPLE / "token_vec_64.txt").read_text(encoding="utf-8").splitlines()
    count, dim = map(int, lines[0].split())
    assert (count, dim) == (len(lines) - 1, 64)
    characters = {c for group in train.values() for text in group for c in text}
    assert len(characters - {line.split(" ")[0] for line in lines[1:]}) < 3
