"""Bad input of `siamese train`: refused, and the run that is there stays as it is."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_files import GBK, PAIR_FILES, bad_file, write

from siamese.config.recipe import Recipe
from siamese.storage.ownership import owning


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
