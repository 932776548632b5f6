"""Runs that have no report yet, or a missing or damaged file: a sentence that names it."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_run import make_pairs, make_run

from siamese.config.loading import load_recipe
from siamese.errors import UserError
from siamese.report.run_contents import read_run
from siamese.report.run_report import write_report
from siamese.training.best_model import write_scores
from siamese.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", [], epochs=2).path


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> RunFolder:
    """A copy to damage."""
    return RunFolder(copytree(whole, tmp_path / "run"))


def test_a_folder_that_is_no_run_is_refused(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"not the folder of a run.*siamese train"):
        write_report(tmp_path / "empty")
    with pytest.raises(UserError, match="model folder: give the folder of its run"):
        write_report(run.best)
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_run_without_a_finished_epoch_is_to_be_waited_for(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.start(load_recipe("default"), {"groups": 1}, fresh=False)
    run.log({"event": "train", "epoch": 1, "step": 1, "loss": 1.0})
    with pytest.raises(UserError, match=r"no epoch is finished yet.*Wait"):
        write_report(run.path)
    run.log({"event": "evaluation", "epoch": 1, "step": 1})
    with pytest.raises(UserError, match="best/ is missing"):
        write_report(run.path)
    run.best.mkdir()
    with pytest.raises(UserError, match=r"best_scores\.parquet: is missing"):
        write_report(run.path)
    run.scores_file.write_bytes(b"PAR1 no PAR1")
    with pytest.raises(UserError, match=r"best_scores\.parquet: damaged"):
        write_report(run.path)
    assert not (run.path / "report.html").exists() and not (run.path / "pictures").exists()


def test_scores_of_another_model_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], epochs=1)
    pairs, scores = make_pairs()
    write_scores(run.path, pairs, -scores)
    with pytest.raises(UserError, match="are not the scores of"):
        write_report(run.path)


def test_what_is_whole_is_read(run: RunFolder) -> None:
    contents = read_run(run.path)
    pairs, scores = make_pairs()
    assert [line["epoch"] for line in contents.evaluations] == [1, 2]
    assert [line["step"] for line in contents.train] == [5, 10, 15, 20]
    assert contents.pairs == [(pair.text1, pair.text2) for pair in pairs]
    assert contents.labels.tolist() == [pair.label for pair in pairs]
    assert np.array_equal(contents.scores, scores)


@pytest.mark.parametrize("name", ["recipe.yaml", "data.json"])
def test_a_folder_without_recipe_or_data_is_no_run(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    with pytest.raises(UserError, match="not the folder of a run"):
        read_run(run.path)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[1]", b"loss: {scale: [", b"los: 1"])
def test_a_damaged_recipe_is_named(run: RunFolder, content: bytes) -> None:
    run.recipe_file.write_bytes(content)
    with pytest.raises(UserError, match=r"recipe\.yaml"):
        read_run(run.path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1, 2]", b"null"])
def test_damaged_counts_of_the_data_are_named(run: RunFolder, content: bytes) -> None:
    run.data_file.write_bytes(content)
    with pytest.raises(UserError, match=r"data\.json: damaged"):
        read_run(run.path)


def test_a_missing_log_is_named(run: RunFolder) -> None:
    run.metrics_file.unlink()
    with pytest.raises(UserError, match=r"metrics\.jsonl has no evaluation"):
        read_run(run.path)


@pytest.mark.parametrize("line", [b"{]}", b"\xff\xfe}", b'{"event": "train"}}'])
def test_a_damaged_line_of_the_log_is_named_by_its_number(run: RunFolder, line: bytes) -> None:
    lines = run.metrics_file.read_bytes().splitlines()
    run.metrics_file.write_bytes(b"\n".join([lines[0], line, *lines[1:]]))
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2: damaged"):
        read_run(run.path)


def test_a_last_line_that_a_kill_cut_short_does_not_matter(run: RunFolder) -> None:
    with run.metrics_file.open("ab") as stream:
        stream.write('{"event": "train", "step": 25, "note": "训'.encode()[:-1])
    assert [line["step"] for line in read_run(run.path).train] == [5, 10, 15, 20]


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ("train", "loss"),
        ("train", "step"),
        *(("evaluation", key) for key in ("epoch", "step", "train_seconds", "roc_auc", "accuracy")),
    ],
)
@pytest.mark.parametrize("value", [None, "high", float("nan"), float("-inf"), 10**400])
def test_a_line_of_the_log_without_a_figure_is_named(
    run: RunFolder, event: str, key: str, value: object
) -> None:
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    broken = next(line for line in lines if line["event"] == event)
    broken[key] = value
    if value is None:
        del broken[key]
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match=rf"metrics\.jsonl: .*no number `{key}`"):
        read_run(run.path)


def test_a_run_without_the_metric_that_picks_the_epoch_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], epochs=1)
    text = run.recipe_file.read_text(encoding="utf-8")
    run.recipe_file.write_text(text.replace("metric: roc_auc", "metric: f1"), encoding="utf-8")
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    lines[-1].pop("f1")
    run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UserError, match="no number `f1`"):
        read_run(run.path)


def altered(label: object = 1, score: object = 0.5, text: object = "问") -> dict[str, list]:
    return {"text1": ["a", text], "text2": ["b", "c"], "label": [0, label], "score": [0.1, score]}


@pytest.mark.parametrize(
    "columns",
    [
        {"text1": ["a"], "text2": ["b"], "label": [1]},
        altered(text=None),
        altered(label=None),
        altered(label=0),
        altered(label=2),
        altered(label=300),
        altered(score=None),
        altered(score=float("nan")),
        {**altered(), "score": ["high", "low"]},
    ],
)
def test_scores_that_are_not_those_of_pairs_are_damaged(
    run: RunFolder, columns: dict[str, list]
) -> None:
    pq.write_table(pa.table(columns), run.scores_file)
    with pytest.raises(UserError, match=r"best_scores\.parquet: damaged"):
        read_run(run.path)


def test_scores_whose_texts_are_not_utf8_are_damaged(run: RunFolder) -> None:
    columns = {**altered(), "text1": pa.array([b"a", b"\xd4\xf5"]).view(pa.string())}
    pq.write_table(pa.table(columns), run.scores_file)
    with pytest.raises(UserError, match=r"best_scores\.parquet: damaged"):
        read_run(run.path)


def test_pictures_are_not_written_through_a_link_out_of_the_run(
    run: RunFolder, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run.path / "pictures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="pictures: is a link out of"):
        write_report(run.path)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (run.path / "report.html").exists()


FILES = ("encoder.keras", "vocabulary.json", "recipe.yaml", "metrics.json", "manifest.json")
DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "other": lambda path: path.write_bytes(b'{"\xff": 1}'),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_missing_or_damaged_file_of_the_best_model_is_named(
    run: RunFolder, name: str, damage: str
) -> None:
    DAMAGE[damage](run.best / name)
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        read_run(run.path)
