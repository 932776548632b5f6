"""`encode` into folders, `dedup` and `mine`, as commands."""

import json
import sys

import pyarrow.parquet as pq
import pytest
from folder_bytes import contents
from small_encoder import small_encoder

from distributed.cli.main import main

TEXTS = ["快递到哪了", "怎么修改密码", "快递到哪了？", "快递到哪了", "怎么修改密码"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    small_encoder(threshold=0.9).save(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def siamese(monkeypatch, capsys):
    """Runs a command: its exit code, and what it printed on both streams."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["siamese", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, "".join(capsys.readouterr())

    return run


def test_encode_makes_a_folder_goes_on_with_it_and_replaces_it(siamese, model, place):
    encode = ("encode", model, "in.txt", "--output", "e")
    assert siamese(*encode) == (0, "5 texts, 12 numbers each: e\n")
    before = contents(place / "e")
    code, printed = siamese(*encode)
    assert (code, contents(place / "e")) == (2, before)
    assert "Go on with --resume, replace it with --fresh" in printed
    for option in ("--resume", "--fresh"):
        assert siamese(*encode, option)[0] == 0
        assert contents(place / "e") == before
    assert siamese("encode", model, "e", "in.txt", "--output", "one.parquet")[0] == 0
    assert pq.read_table(place / "one.parquet")["text"].to_pylist() == TEXTS * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("encode", "MODEL", "in.txt", "--output", "e", "--resume", "--fresh"), "give one of them"),
        (("encode", "MODEL", "in.txt", "--output", "e.parquet", "--workers", "2"), "is one file"),
        (("encode", "MODEL", "in.txt", "--output", "e.parquet", "--resume"), "is one file"),
        (("encode", "MODEL", "in.txt", "--output", "in.txt"), "in.txt is a file"),
        (("encode", "MODEL", "none.txt", "--output", "e"), "no such file"),
        (("encode", "none", "in.txt", "--output", "e"), "no such folder"),
        (("dedup", "in.txt", "--model", "MODEL", "--output", "out"), "what shall it be"),
        (("dedup", "in.txt", "--model", "MODEL", "--output", "in.txt"), "is the input too"),
        (
            ("dedup", "in.txt", "--model", "MODEL", "--output", "a.csv", "--report", "a.csv"),
            "to be written twice",
        ),
        (
            ("dedup", "in.txt", "--model", "MODEL", "--output", "a.csv", "--threshold", "nan"),
            "give a number",
        ),
        (
            ("dedup", "in.txt", "--model", "MODEL", "--output", "a.csv", "--column", "x"),
            "has no columns by name",
        ),
        (
            ("dedup", "in.txt", "--model", "MODEL", "--output", "a.csv", "--gpus-per-worker", "1"),
            "needs --workers 1 or more",
        ),
        (("mine", "in.txt", "--model", "MODEL", "--groups", "g.csv"), "what shall it be"),
        (("mine", "in.txt", "--model", "in.txt", "--groups", "g.jsonl"), "in.txt"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(siamese, model, place, arguments, message):
    before = contents(place)
    code, printed = siamese(*(model if each == "MODEL" else each for each in arguments))
    assert code == 2
    assert message in printed
    assert "Traceback" not in printed
    assert contents(place) == before


def test_dedup_says_what_goes(siamese, model, place):
    code, printed = siamese(
        *("dedup", "in.txt", "--model", model, "--output", "kept.txt", "--report", "gone.jsonl")
    )
    assert code == 0
    assert printed.startswith(
        "5 texts: 2 stay, 2 exact and 1 near duplicates (similarity above 0.9000) go: kept.txt\n"
    )
    assert '"快递到哪了？"  |  "快递到哪了"' in printed
    assert (place / "kept.txt").read_text(encoding="utf-8").split() == TEXTS[:2]
    lines = (place / "gone.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["of_row"] for line in lines] == [1, 1, 2]


def test_mine_says_what_is_alike(siamese, model, place):
    code, printed = siamese(
        *("mine", "in.txt", "--model", model, "--pairs", "p.csv", "--groups", "g.jsonl")
    )
    assert code == 0
    assert printed.startswith(
        "3 different texts: 1 pairs of similarity above 0.9000, 1 groups of 2 texts\n"
    )
    group = json.loads((place / "g.jsonl").read_text(encoding="utf-8"))
    assert group == {"id": "1", "texts": ["快递到哪了", "快递到哪了？"]}
    assert (
        (place / "p.csv").read_text(encoding="utf-8").startswith("text1,text2,score\n快递到哪了,")
    )


def test_without_a_file_to_write_all_is_printed_and_nothing_written(siamese, model, place):
    before = contents(place)
    code, printed = siamese("dedup", "in.txt", "--model", model)
    assert code == 0
    summary, *lines = printed.splitlines()
    assert summary.endswith("near duplicates (similarity above 0.9000) go")
    assert [line.split()[:2] for line in lines] == [["3", "near"], ["4", "exact"], ["5", "exact"]]
    code, printed = siamese("mine", "in.txt", "--model", model)
    assert code == 0
    assert printed.splitlines()[1].endswith('"快递到哪了"  |  "快递到哪了？"')
    assert contents(place) == before
