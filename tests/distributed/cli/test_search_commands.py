"""`siamese index` and `siamese search`, in one process, on files and at URIs."""

import json
import sys
import uuid
from pathlib import Path
from unittest.mock import patch

import pytest
from folder_bytes import contents
from small_encoder import small_encoder

from distributed.cli.main import main
from siamese import Index

FAQ = """id,question,answer,tags
r,怎么修改密码,在设置里改,a
k,快递到哪了,查单号,
w,密码是什么,不能说,b
"""
MORE = '{"id": "m", "question": "登录密码", "answer": ["甲", "乙"]}\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "best"
    small_encoder().save(folder)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("faq.csv").write_text(FAQ, encoding="utf-8")
    Path("more.jsonl").write_text(MORE, encoding="utf-8")
    Path("q.txt").write_text("怎么修改密码\n\n快递\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def index(place, model, capsys) -> str:
    assert run("index", "faq.csv", "--model", model, "--output", "index", "--threshold", 0.9) == 0
    capsys.readouterr()
    return "index"


def run(*arguments: object) -> int:
    """Run a command line in this process, and return its exit code."""
    with patch.object(sys, "argv", ["siamese", *map(str, arguments)]):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_an_index_is_built_and_answers_or_abstains(place, model, capsys) -> None:
    assert run("index", "faq.csv", "--model", model, "--output", "index") == 0
    assert capsys.readouterr().out == "3 texts, threshold 0.2500: index\n"
    assert run("search", "index", "怎么修改密码", "-k", 1) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  1.0000  r  怎么修改密码",
        "          answer: 在设置里改",
        "          tags: a",
    ]
    assert run("search", "index", "快递到", "-k", 1, "--threshold", 2) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("  no answer: nothing is above the threshold 2.0000; the nearest is 0.")


def test_several_questions_are_answered_each_below_its_own_words(index, capsys) -> None:
    assert run("search", index, "--questions", "q.txt") == 0
    given = capsys.readouterr().out.splitlines()
    assert run("search", index, "怎么修改密码", "快递") == 0
    assert capsys.readouterr().out.splitlines() == given
    assert [line for line in given if not line.startswith(" ")] == ["怎么修改密码", "快递"]


def test_json_is_an_object_a_line(index, model, capsys) -> None:
    assert run("search", index, "怎么修改密码", "快递", "--json", "-k", 2) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = Index.open(index, model).search_many(["怎么修改密码", "快递"], 2)
    assert answers == [
        {"question": question, "threshold": 0.9, "hits": [hit._asdict() for hit in hits]}
        for question, hits in zip(["怎么修改密码", "快递"], found, strict=True)
    ]
    assert answers[0]["hits"][0]["fields"] == {"answer": "在设置里改", "tags": "a"}


def test_entries_are_added_replaced_and_removed(index, capsys) -> None:
    assert run("index", "more.jsonl", "--add", index) == 0
    assert run("search", index, "登录密码", "-k", 1, "--threshold", 0.99) == 0
    Path("more.jsonl").write_text(MORE.replace("登录密码", "密码登录"), encoding="utf-8")
    assert run("index", "more.jsonl", "--replace", index) == 0
    assert run("search", index, "密码登录", "-k", 1, "--threshold", 0.99) == 0
    assert run("index", "m", "r", "--remove", index) == 0
    fields = ['          answer: ["甲", "乙"]']
    assert capsys.readouterr().out.splitlines() == [
        *["1 added, 4 texts now: index", "  1.0000  m  登录密码", *fields],
        *["1 replaced, 4 texts now: index", "  1.0000  m  密码登录", *fields],
        "2 removed, 2 texts now: index",
    ]


def test_models_inputs_and_indexes_may_be_at_uris(place, model, capsys) -> None:
    import fsspec

    base = f"memory://{uuid.uuid4().hex}"
    memory = fsspec.filesystem("memory")
    memory.put(f"{model}/", f"{base}/model/", recursive=True)
    memory.put("faq.csv", f"{base}/faq.csv")
    memory.put("more.jsonl", f"{base}/more.jsonl")
    index = f"{base}/index"
    assert run("index", f"{base}/faq.csv", "--model", f"{base}/model", "--output", index) == 0
    assert run("index", f"{base}/more.jsonl", "--add", index) == 0
    assert run("index", "k", "--remove", index) == 0
    assert run("search", index, "登录密码", "-k", 1) == 0
    assert "  1.0000  m  登录密码" in capsys.readouterr().out
    assert Index.open(index, model).location == index


def test_texts_that_are_cut_or_unknown_are_told(place, model, capsys) -> None:
    Path("texts.txt").write_text(f"zzz\n{'密码' * 40}\n", encoding="utf-8")
    assert run("index", "texts.txt", "--model", model, "--output", "index") == 0
    assert "longer than 64 characters were cut" in capsys.readouterr().out
    assert run("search", "index", "yyy") == 0
    assert "only unknown characters" in capsys.readouterr().out


BAD = {
    "a question that is empty": (["search", "index", " "], "the question is empty"),
    "an empty one among others": (["search", "index", "x", ""], "question 2 is empty"),
    "k of 0": (["search", "index", "x", "-k", 0], "k must be from 1 to 3"),
    "k above the size": (["search", "index", "x", "-k", 4], "k must be from 1 to 3"),
    "k that is no number": (["search", "index", "x", "-k", "a"], "Invalid value"),
    "no threshold": (["search", "index", "x", "--threshold", "nan"], "must be a number"),
    "no question": (["search", "index"], "give questions, or a file"),
    "both": (["search", "index", "x", "--questions", "q.txt"], "not both"),
    "an option alone": (["search", "index", "x", "--column", "a"], "are for --questions"),
    "no index": (["search", "gone", "x"], "gone: no such index"),
    "another folder": (["search", "model", "x"], "not of an index"),
    "another model": (["search", "index", "x", "--model", "other"], "with another model"),
    "a model that is gone": (["search", "index", "x", "--model", "gone"], "gone: no such folder"),
    "nothing to do": (["index", "faq.csv"], "give one of --output"),
    "two things to do": (["index", "faq.csv", "--output", "new", "--add", "index"], "give one of"),
    "no model": (["index", "faq.csv", "--output", "new"], "say with which model"),
    "a threshold of a change": (
        ["index", "faq.csv", "--add", "index", "--threshold", 1],
        "are for --output",
    ),
    "fresh of a change": (["index", "faq.csv", "--add", "index", "--fresh"], "are for --output"),
    "a column of ids": (["index", "k", "--remove", "index", "--column", "a"], "--remove takes ids"),
    "an index that is there": (
        ["index", "faq.csv", "--model", "model", "--output", "index"],
        "holds an index",
    ),
    "a folder that is something else": (
        ["index", "faq.csv", "--model", "model", "--output", "model", "--fresh"],
        "holds something else",
    ),
    "a file that is in the way": (
        ["index", "faq.csv", "--model", "model", "--output", "q.txt"],
        "is a file",
    ),
    "an input that is gone": (
        ["index", "gone.csv", "--model", "model", "--output", "new"],
        "gone.csv: no such file",
    ),
    "an id twice": (
        ["index", "twice.csv", "--model", "model", "--output", "new"],
        "twice.csv, line 3: the id '1' occurs twice, first in twice.csv, line 2",
    ),
    "an empty text": (
        ["index", "empty.csv", "--model", "model", "--output", "new"],
        "empty.csv, line 3: the text is empty",
    ),
    "a column that is not there": (
        ["index", "faq.csv", "--model", "model", "--output", "new", "--column", "x"],
        "line 1: has no column 'x'",
    ),
    "a threshold that is none": (
        ["index", "faq.csv", "--model", "model", "--output", "new", "--threshold", "inf"],
        "must be a number",
    ),
    "an id that is there": (["index", "faq.csv", "--add", "index"], "is in the index already"),
    "an id that is not": (["index", "more.jsonl", "--replace", "index"], "is not in the index"),
    "an id that cannot go": (["index", "k", "gone", "--remove", "index"], "'gone' is not in"),
    "a scheme that is none": (["search", "nowhere://index", "x"], "nowhere"),
}


@pytest.mark.parametrize("name", BAD)
def test_is_refused_in_a_sentence_and_nothing_is_touched(
    name, index, place, model, capsys, tmp_path_factory
) -> None:
    arguments, message = BAD[name]
    Path("model").symlink_to(model)
    Path("twice.csv").write_text("id,text\n1,甲\n1,乙\n", encoding="utf-8")
    Path("empty.csv").write_text("id,text\n1,甲\n2,\n", encoding="utf-8")
    if "other" in arguments:
        other = tmp_path_factory.getbasetemp() / "other-model"
        if not other.exists():
            small_encoder(seed=8).save(other)
        Path("other").symlink_to(other)
    before = contents(place), contents(model)
    assert run(*arguments) == 2
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in error and "Traceback" not in error
    assert (contents(place), contents(model)) == before
    assert not Path("new").exists()
