"""Every kind of bad input on the command line: exit code 2, a sentence, and nothing half-written.

Damaged model folders are in `test_model.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distributed.cli.main import main
from distributed.sharding.shard import shard
from siamese.config.recipe import Recipe
from siamese.storage.ownership import owning
from siamese.training.run_folder import RunFolder

GBK = "怎么".encode("gbk")
# A line of UTF-8 and GBK together; a file in GBK alone is read as such.
BROKEN = "别的话".encode() + GBK
GROUPS = {str(i): [f"第{i}个问题", f"问题{i}"] for i in range(8)}
DEV = "怎么办卡\t如何办卡\t1\n怎么办卡\t怎么销卡\t0\n"

# name of the file, its content (None: there is none), what the message must hold
GROUP_FILES: dict[str, tuple[str, bytes | None, list[str]]] = {
    "missing": ("none.json", None, ["none.json", "no such file"]),
    "missing pattern": ("none*.json", None, ["none*.json", "no such file"]),
    "empty": ("a.json", b"", ["a.json", "empty"]),
    "empty lines": ("a.jsonl", b"", ["a.jsonl", "empty"]),
    "list at the top": ("a.json", b'[["a", "b"]]', ["a.json", "{id: [text, …]}"]),
    "text at the top": ("a.json", b'"a"', ["a.json", "{id: [text, …]}"]),
    "no group": ("a.json", b"{}", ["a.json", "empty"]),
    "broken": ("a.json", b'{"0": ["a", "b"],\n"1": [}', ["a.json, line 2", "not valid JSON"]),
    "cut": ("a.json", b'{"0": ["a", "b"],\n"1": ["a', ["a.json, line 2", "not valid JSON"]),
    "no list": ("a.json", b'{"0": ["a", "b"], "k": "c"}', ["a.json", "'k'", "list of strings"]),
    "object": ("a.json", b'{"k": {"a": "b"}}', ["a.json", "'k'", "list of strings"]),
    "number": ("a.json", b'{"k": ["a", 1]}', ["a.json", "'k'", "strings", "1"]),
    "null": ("a.json", b'{"k": ["a", null]}', ["a.json", "'k'", "strings", "null"]),
    "other lines": ("a.jsonl", b'{"id": 0, "text": []}', ["a.jsonl, line 1", '"texts"']),
    "json as lines": ("a.jsonl", b'{"0":\n["a", "b"]}', ["a.jsonl, line 1", "not valid JSON"]),
    "utf-8": ("a.json", b'{"0": ["a", "b"],\n"1": ["%s"]}' % BROKEN, ["a.json, line 2", "UTF-8"]),
    "utf-8 in lines": ("a.jsonl", b"\n\n" + BROKEN, ["a.jsonl, line 3", "UTF-8"]),
    "no parquet": ("a.parquet", b"PAR1 not really PAR1", ["a.parquet"]),
    "ending": ("a.docx", b"PK", ["a.docx", ".jsonl"]),
}
PAIR_FILES: dict[str, tuple[str, bytes | None, list[str]]] = {
    "missing pairs": ("none.tsv", None, ["none.tsv", "no such file"]),
    "empty pairs": ("a.tsv", b"", ["a.tsv", "empty"]),
    "utf-8 tsv": ("a.tsv", b"a\tb\t1\na\t%s\t0\n" % BROKEN, ["a.tsv, line 2", "UTF-8"]),
    "utf-8 txt": ("a.txt", b"a\tb\t1\na\t%s\t0\n" % BROKEN, ["a.txt, line 2", "UTF-8"]),
    "utf-8 csv": ("a.csv", b"a,b,1\n%s,b,0\n" % BROKEN, ["a.csv, line 2", "UTF-8"]),
    "label 2": ("a.tsv", b"a\tb\t1\na\tc\t2\n", ["a.tsv, line 2", "'2'", "0 or 1"]),
    "label same": (
        "a.csv",
        b"text1,text2,label\na,b,same\n",
        ["a.csv, line 2", "'same'", "0 or 1"],
    ),
    "no label": ("a.tsv", b"a\tb\t1\na\tc\t\n", ["a.tsv, line 2", "''", "0 or 1"]),
    "two columns": ("a.tsv", b"a\tb\t1\na\tb\n", ["a.tsv, line 2", "2 columns", "expected 3"]),
    "one column": ("a.txt", b"a b 1\n", ["a.txt, line 1", "1 column,", "tabs"]),
    "two columns csv": ("a.csv", b"a,b\n", ["a.csv, line 1", "2 columns", "commas"]),
    "four columns": ("a.csv", b"a,b,c,1\n", ["a.csv, line 1", "4 columns", "commas"]),
    "open quote": ("a.csv", b'a,b,1\n"a,b,0\n', ["a.csv, line 2", "not valid CSV"]),
    "no positive pair": ("a.tsv", b"a\tb\t0\nc\td\t0\n", ["a.tsv: no positive", "among 2"]),
    "header only": ("a.tsv", b"text1\ttext2\tlabel\n", ["a.tsv: no positive"]),
    "no parquet of pairs": ("a.parquet", b"PAR1 not really PAR1", ["a.parquet"]),
}
BAD_FILES = GROUP_FILES | PAIR_FILES


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def call(tmp_path, monkeypatch, capsys) -> Callable[..., str]:
    """Run a command that must fail with exit code 2 and change no file; returns its stderr."""

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["siamese", *map(str, arguments)])
        before = snapshot(tmp_path)
        with pytest.raises(SystemExit) as exit:
            main()
        stderr = capsys.readouterr().err
        assert exit.value.code == 2, stderr
        assert "Traceback" not in stderr
        assert snapshot(tmp_path) == before
        return stderr

    return call


@pytest.fixture
def refused(call) -> Callable[..., None]:
    """Run a command that must be refused with `error:` and a sentence that holds `fragments`."""

    def refused(*arguments: object, fragments: list[str]) -> None:
        stderr = call(*arguments)
        assert stderr.startswith("error: ")
        assert [fragment for fragment in fragments if fragment not in stderr] == []

    return refused


def write(path: Path, content: bytes | None) -> Path:
    if content is not None:
        path.write_bytes(content)
    return path


def bad_file(folder: Path, case: str) -> tuple[Path, list[str]]:
    """Write a file of `BAD_FILES`; what a message about it must hold."""
    name, content, fragments = BAD_FILES[case]
    return write(folder / name, content), fragments


@pytest.fixture
def groups(tmp_path) -> Path:
    return write(tmp_path / "groups.json", json.dumps(GROUPS).encode())


@pytest.fixture
def data(tmp_path, groups) -> Path:
    shard([str(groups)], tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def dev(tmp_path) -> Path:
    return write(tmp_path / "dev.tsv", DEV.encode())


@pytest.fixture
def run(tmp_path) -> Path:
    """The folder of a run that was begun."""
    folder = RunFolder(tmp_path / "run")
    folder.start(Recipe(), {"hash": "of some data"}, fresh=False)
    folder.log({"event": "train", "step": 1, "loss": 0.5})
    return folder.path


class TestShard:
    @pytest.mark.parametrize("case", BAD_FILES)
    def test_bad_input(self, refused, tmp_path, case):
        bad, fragments = bad_file(tmp_path, case)
        refused("shard", bad, "--output", tmp_path / "new" / "data", fragments=fragments)

    @pytest.mark.parametrize("case", BAD_FILES)
    def test_bad_input_beside_good_in_the_place_of_a_data_set(self, refused, tmp_path, data, case):
        bad, fragments = bad_file(tmp_path, case)
        refused(
            "shard", tmp_path / "groups.json", bad, "--output", data, "--fresh", fragments=fragments
        )

    def test_empty_text(self, refused, tmp_path):
        bad = write(tmp_path / "a.json", b'{"0": ["a", "b"], "k": ["c", " "]}')
        fragments = ["a.json", "'k'", "empty text"]
        refused("shard", bad, "--output", tmp_path / "data", fragments=fragments)

    def test_no_group_of_two_texts(self, refused, tmp_path):
        bad = write(tmp_path / "a.json", b'{"0": ["a"], "1": ["b", "b"]}')
        fragments = ["a.json", "two different texts"]
        refused("shard", bad, "--output", tmp_path / "data", fragments=fragments)

    def test_a_group_id_that_is_no_text(self, refused, tmp_path):
        bad = write(tmp_path / "a.jsonl", b'{"id": "\\ud800", "texts": ["a", "b"]}')
        refused("shard", bad, "--output", tmp_path / "data", fragments=["a.jsonl", "surrogate"])

    def test_folder_without_data(self, refused, tmp_path):
        (tmp_path / "empty").mkdir()
        bad = tmp_path / "empty"
        refused("shard", bad, "--output", tmp_path / "data", fragments=[str(bad), ".jsonl"])

    def test_unknown_scheme(self, refused, tmp_path):
        uri = "nonsense://bucket/a.json"
        refused("shard", uri, "--output", tmp_path / "data", fragments=[uri])

    def test_data_set_without_fresh(self, refused, groups, data):
        refused("shard", groups, "--output", data, fragments=[str(data), "--fresh"])

    @pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
    def test_fresh_on_what_is_no_data_set(self, refused, tmp_path, groups, name):
        (tmp_path / "mine").mkdir()
        write(tmp_path / "mine" / name, b'{"name": "mine"}')
        output = tmp_path / "mine"
        refused("shard", groups, "--output", output, "--fresh", fragments=[str(output)])

    @pytest.mark.parametrize("below", ["", "data"])
    def test_output_that_is_a_file_or_below_one(self, refused, tmp_path, groups, below):
        output = write(tmp_path / "file", b"mine") / below
        refused("shard", groups, "--output", output, fragments=[str(tmp_path / "file")])


class TestVectors:
    @pytest.mark.parametrize(
        "case",
        [
            "missing",
            "empty",
            "list at the top",
            "broken",
            "no list",
            "number",
            "utf-8",
            "utf-8 in lines",
            "utf-8 csv",
            "two columns",
            "no parquet",
            "ending",
        ],
    )
    @pytest.mark.parametrize("existing", [False, True])
    def test_bad_input(self, refused, tmp_path, case, existing):
        bad, fragments = bad_file(tmp_path, case)
        output = write(tmp_path / "vectors.txt", b"1 1\na 1\n" if existing else None)
        refused("vectors", bad, "--output", output, "--dim", 4, fragments=fragments)

    def test_nothing_to_train_on(self, refused, tmp_path, groups):
        command = ("vectors", groups, "--output", tmp_path / "v.txt", "--min-count", 999)
        refused(*command, fragments=["999", "texts"])

    def test_output_that_is_a_folder(self, refused, tmp_path, groups):
        output = tmp_path / "folder"
        output.mkdir()
        command = ("vectors", groups, "--output", output, "--dim", 4, "--epochs", 1)
        refused(*command, fragments=[str(output)])


class TestTrain:
    @pytest.fixture
    def train(self, refused, tmp_path, data, dev) -> Callable[..., None]:
        """`siamese train` with good data and pairs, unless other ones are given."""

        def train(*options: object, fragments: list[str], **given: object) -> None:
            paths = {"data": data, "dev": dev, "run": tmp_path / "new"} | given
            arguments = [part for name, path in paths.items() for part in (f"--{name}", path)]
            refused("train", *arguments, *options, fragments=fragments)

        return train

    @pytest.mark.parametrize("case", PAIR_FILES)
    def test_bad_development_pairs(self, train, tmp_path, case):
        bad, fragments = bad_file(tmp_path, case)
        train(dev=bad, fragments=fragments)

    @pytest.mark.parametrize("case", PAIR_FILES)
    def test_bad_development_pairs_in_the_place_of_a_run(self, train, tmp_path, run, case):
        bad, fragments = bad_file(tmp_path, case)
        train("--fresh", dev=bad, run=run, fragments=fragments)

    @pytest.mark.parametrize("option", [[], ["--resume"], ["--fresh"]], ids=str)
    def test_a_run_or_a_sweep_that_another_process_is_at(
        self, refused, train, run, data, dev, option
    ):
        fragments = [f"{run}: is in use by process {os.getpid()} on ", "Wait until"]
        with owning(run):
            train(*option, run=run, fragments=fragments)
            sweep = ("tune", "--data", data, "--dev", dev, "--run", run)
            refused(*sweep, *option, fragments=fragments)

    def test_development_pairs_without_negatives(self, train, tmp_path):
        pairs = write(tmp_path / "a.tsv", b"a\tb\t1\n")
        train(dev=pairs, fragments=["a.tsv", "no negative (label 0)"])

    def test_groups_in_the_place_of_development_pairs(self, train, groups):
        train(dev=groups, fragments=[str(groups)])

    def test_data_that_are_no_data_set(self, train, tmp_path, groups):
        for path in (tmp_path / "none", groups, tmp_path):
            train(data=path, fragments=[f"{path}: not a data set", "siamese shard"])

    @pytest.mark.parametrize(
        ("name", "content", "fragments"),
        [
            ("part-00000.parquet", b"PAR1", ["part-00000.parquet", "altered"]),
            ("vocabulary.json", b"{}", ["vocabulary.json", "altered"]),
            ("manifest.json", b"", ["manifest.json", "damaged"]),
            ("manifest.json", b'{"schema_version": 2}', ["manifest.json"]),
            ("manifest.json", b'{"schema_version": 9}', ["manifest.json", "version 9"]),
        ],
    )
    def test_a_damaged_data_set(self, train, data, name, content, fragments):
        write(data / name, content)
        train(fragments=fragments)

    @pytest.mark.parametrize("existing", [False, True])
    def test_fewer_groups_than_a_batch(self, train, run, tmp_path, existing):
        options = ("--set", "sampling.batch_groups=9", *["--fresh"] * existing)
        fragments = ["8 groups", "sampling.batch_groups=9", "--set sampling.batch_groups=8"]
        train(*options, run=run if existing else tmp_path / "new", fragments=fragments)

    @pytest.mark.parametrize(
        ("content", "fragments"),
        [
            (b"2 3\na 1 2 3\nb 1 2 3\n", ["have 3 numbers", "encoder.embedding_dim=3"]),
            (b"a 1 2 3\nb 1 2 3\n", ["line 1", "COUNT SIZE"]),
            (b"", ["line 1", "COUNT SIZE"]),
            (b"two 2\na 1 2\nb 1 2\n", ["line 1", "COUNT SIZE"]),
            (b"3 2\na 1 2\nb 1 2\n", ["broken"]),
            (b"2 2\na 1 2\nb 1\n", ["broken"]),
            (b"2 2\na \0\0\x80\x3f\0\0\x80\x3fb \0\0", ["broken"]),
            (None, ["cannot read"]),
        ],
        ids=["size", "no header", "empty", "header", "count", "line", "binary", "missing"],
    )
    def test_bad_vectors(self, train, run, tmp_path, content, fragments):
        path = write(tmp_path / "vectors.txt", content)
        settings = (f"encoder.vectors={path}", "encoder.embedding_dim=2", "sampling.batch_groups=4")
        options = [part for setting in settings for part in ("--set", setting)]
        train(*options, fragments=[str(path), *fragments])
        train(*options, "--fresh", run=run, fragments=[str(path), *fragments])

    @pytest.mark.parametrize(
        ("options", "fragments"),
        [
            (["--recipe", "defualt"], ["'defualt'", "did you mean default?"]),
            (["--recipe", "none.yaml"], ["none.yaml"]),
            (["--set", "loss.scal=3"], ["loss.scal: unknown key", "did you mean scale?"]),
            (["--set", "scale"], ["scale", "section.key=value"]),
            (["--set", "loss.scale=big"], ["loss.scale='big'", "number"]),
            (["--set", "loss.scale=[1"], ["loss.scale=[1", "YAML"]),
            (["--set", "encoder.vectors=2024-13-45"], ["encoder.vectors"]),
            (
                ["--set", "loss.scal=3", "--set", "training.epochs=0"],
                ["loss.scal: unknown key", "training.epochs=0"],
            ),
            (
                ["--set", "sampling.method=notebook", "--set", "loss.hard_negatives=1"],
                ["loss.hard_negatives must be 0"],
            ),
        ],
        ids=str,
    )
    def test_bad_recipe(self, train, run, options, fragments):
        train(*options, fragments=fragments)
        train(*options, "--fresh", run=run, fragments=fragments)

    @pytest.mark.parametrize(
        ("content", "fragments"),
        [
            (b"loss: {scal: 3}", ["loss.scal: unknown key", "did you mean scale?"]),
            (b"loss: {scale", ["not valid YAML"]),
            (b"- 1", ["expected settings"]),
            (GBK, ["utf-8"]),
        ],
    )
    def test_bad_recipe_file(self, train, tmp_path, content, fragments):
        path = write(tmp_path / "mine.yaml", content)
        train("--recipe", path, fragments=[str(path), *fragments])

    def test_a_run_without_resume_or_fresh(self, train, run):
        train(run=run, fragments=[f"{run}: exists already", "--resume", "--fresh"])

    def test_resume_and_fresh_together(self, train, run):
        train("--resume", "--fresh", run=run, fragments=["--resume", "--fresh", "one of them"])

    @pytest.mark.parametrize("name", ["notes.txt", "recipe.yaml", "data.json"])
    def test_fresh_on_what_is_no_run(self, train, tmp_path, name):
        (tmp_path / "mine").mkdir()
        write(tmp_path / "mine" / name, b"seed: 1\n")
        write(tmp_path / "mine" / "thesis.tex", b"years of work")
        mine = tmp_path / "mine"
        train("--fresh", run=mine, fragments=[f"{mine}: is not the folder of a run", "--run"])

    @pytest.mark.parametrize("options", [[], ["--fresh"]])
    def test_a_file_in_the_place_of_the_run(self, train, tmp_path, options):
        path = write(tmp_path / "file", b"mine")
        train(*options, run=path, fragments=[str(path)])

    def test_a_run_below_a_file(self, train, tmp_path):
        settings = ("--set", "sampling.batch_groups=4", "--set", "encoder.vectors=none")
        run = write(tmp_path / "file", b"mine") / "run"
        train(*settings, run=run, fragments=[str(tmp_path / "file")])

    def test_resume_of_nothing(self, train, tmp_path):
        (tmp_path / "empty").mkdir()
        for name in ("none", "empty", "data"):
            run = tmp_path / name
            train("--resume", run=run, fragments=[f"{run}: holds no run to resume"])
        run = tmp_path / "dev.tsv"
        train("--resume", run=run, fragments=[f"{run}: is a file, not a folder"])

    def test_resume_with_other_settings(self, train, run):
        options = ("--resume", "--set", "loss.scale=12", "--set", "seed=7")
        expected = ["other settings", "loss.scale: was 20.0, is 12.0", "seed: was 1, is 7"]
        train(*options, run=run, recipe=write_recipe(run.parent), fragments=expected)

    def test_resume_with_other_data(self, train, run):
        recipe = write_recipe(run.parent)
        train("--resume", run=run, recipe=recipe, fragments=[str(run), "other data", "--data"])

    @pytest.mark.parametrize(
        ("name", "content"),
        [("recipe.yaml", b"seed: ["), ("data.json", b""), ("data.json", b"{}")],
    )
    def test_resume_of_a_damaged_run(self, train, run, name, content):
        write(run / name, content)
        recipe = write_recipe(run.parent)
        train("--resume", run=run, recipe=recipe, fragments=[str(run / name)])

    def test_resume_of_a_run_that_lost_a_file(self, train, run):
        (run / "data.json").unlink()
        recipe = write_recipe(run.parent)
        train("--resume", run=run, recipe=recipe, fragments=[str(run / "data.json")])


def write_recipe(folder: Path) -> Path:
    """The recipe of the fixture `run`."""
    return write(folder / "the-same.yaml", Recipe().to_yaml().encode())


class TestEvaluate:
    @pytest.mark.parametrize("threshold", ["high", "", "0,5", "nan", "inf", "-inf", "None"])
    def test_bad_threshold(self, refused, tmp_path, dev, threshold):
        command = ("evaluate", tmp_path / "model", dev, "--json", tmp_path / "metrics.json")
        fragments = [f"--threshold {threshold}", "`stored`", "`fit`", "number"]
        refused(*command, f"--threshold={threshold}", fragments=fragments)

    def test_no_model(self, refused, tmp_path, dev):
        model = tmp_path / "model"
        command = ("evaluate", model, dev, "--json", tmp_path / "metrics.json")
        refused(*command, fragments=[str(model), "folder"])


class TestUsage:
    """What typer refuses: its own words, the same exit code."""

    @pytest.mark.parametrize(
        ("arguments", "culprit"),
        [
            (["trian"], "trian"),
            (["--nonsense"], "--nonsense"),
            (["shard", "a.json", "--output", "data", "--nonsense"], "--nonsense"),
            (["shard", "a.json"], "--output"),
            (["shard", "--output", "data"], "inputs"),
            (["shard", "a.json", "--output", "data", "--rows-per-shard", "0"], "--rows-per-shard"),
            (["shard", "a.json", "--output", "data", "--seed", "-1"], "--seed"),
            (["shard", "a.json", "--output", "data", "--seed", "one"], "--seed"),
            (["vectors", "a.json", "--output", "v.txt", "--dim", "0"], "--dim"),
            (["train", "--data", "d", "--dev", "d", "--run", "r", "--workers", "-1"], "--workers"),
            (["evaluate", "model"], "pairs"),
            (["similarity", "model", "a"], "text2"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_is_told_by_name(self, call, tmp_path, monkeypatch, arguments, culprit):
        monkeypatch.chdir(tmp_path)
        assert culprit in call(*arguments)

    @pytest.mark.parametrize("command", ["shard", "vectors"])
    def test_a_seed_too_large(self, call, tmp_path, groups, command):
        assert "seed" in call(command, groups, "--output", tmp_path / "out", "--seed", 10**30)


class TestProcess:
    def spawn(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "distributed", *arguments]
        return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder)

    def test_help_names_the_commands(self, tmp_path):
        done = self.spawn("--help", folder=tmp_path)
        assert done.returncode == 0
        for command in ("shard", "vectors", "train", "evaluate", "similarity", "encode", "report"):
            assert command in done.stdout

    def test_a_mistake_is_one_sentence(self, tmp_path):
        done = self.spawn("shard", "没有.json", "--output", "data", folder=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == "error: 没有.json: no such file. Check the path or the pattern.\n"
        assert list(tmp_path.iterdir()) == []
