"""The report of a sweep, from what is known of its trials; no Ray."""

import subprocess
import sys
from pathlib import Path

import pytest
from report_run import Page

from distributed.sweep.folder import SweepFolder
from distributed.sweep.report import epochs_saved, write_sweep_report
from distributed.sweep.trial_log import TrialLog, ranking
from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.config.search_space import Space, load_space

ERROR = 'RuntimeError: <b>no</b> "room"\x1b[31m'
POOLINGS = ("mean", "max", "last")


def trial(number: int, epochs: int, status: str, error: str = "") -> TrialLog:
    """A trial that is the better the higher its number."""
    settings = {"loss.scale": 10 + number / 3, "encoder.pooling": POOLINGS[number % 3]}
    log = TrialLog(number, settings, status=status, error=error)
    for epoch in range(1, epochs + 1):
        value = 0.5 + number / 100 + epoch / 1000
        figures = dict.fromkeys(("accuracy", "roc_auc", "recall_at_1", "cents"), value)
        order = 10 * epoch + number
        log.evaluations.append(
            {"epoch": epoch, **figures, "at": 60.0 * order, "order": order, "heard": order}
        )
    return log


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("default", ["training.epochs=3"])


@pytest.fixture
def space(tmp_path: Path, recipe: Recipe) -> Space:
    ranges = tmp_path / "space.yaml"
    ranges.write_text(
        "loss: {scale: {uniform: [5, 40]}}\nencoder: {pooling: {choice: [mean, max, last]}}\n"
    )
    return load_space(str(ranges), recipe)


def sweep(count: int) -> dict[int, TrialLog]:
    """Half of them stopped after an epoch, the last one failed after two."""
    logs = [trial(n, 1 if n % 2 else 3, "stopped" if n % 2 else "finished") for n in range(count)]
    return dict(enumerate([*logs, trial(count, 2, "failed", ERROR)]))


def report(folder: Path, logs: dict[int, TrialLog], recipe: Recipe, space: Space, test=None) -> str:
    winner = ranking(logs, recipe.evaluation.metric)[0]
    write_sweep_report(SweepFolder(str(folder)), logs, winner, recipe, space, test)
    return (folder / "sweep.html").read_text(encoding="utf-8")


def test_the_page_shows_the_choice_and_all_trials(
    tmp_path: Path, recipe: Recipe, space: Space
) -> None:
    test = {"pairs": 1500, "precision": 0.25, "accuracy": 0.75, "spearman": -0.5}
    page = Page(report(tmp_path / "my sweep", sweep(4), recipe, space, test))
    assert "Sweep my sweep: 5 trials" in page.text
    # Trials 0 and 2 in full, 1 and 3 an epoch each; the failed one's 2 were trained as well.
    trained, full = 3 + 1 + 3 + 1 + 2, 4 * 3
    assert epochs_saved(sweep(4), recipe) == (trained, full)
    assert f"that {1 - trained / full:.0%} of the epochs" in page.text.replace("\n", " ")
    figures = page.text.replace("\n", "")
    for tile in ("best ROC AUC0.5310", "trial3", "epoch1", "epochs trained10 of 12"):
        assert tile in figures
    assert page.tables[0] == [
        ["metric", "value"],
        *(["accuracy", "0.7500"], ["precision", "0.2500"], ["Spearman", "−0.5000"]),
    ]
    assert page.tables[1][1:] == [
        ["loss.scale", "11.0", "20.0"],
        ["encoder.pooling", "mean", "attention"],
    ]
    head, *rows = page.tables[2]
    assert head == ["rank", "trial", "status", "epochs", "ROC AUC", "settings"]
    assert rows[0] == ["1", "3", "stopped", "1", "0.5310", "scale=11.0 pooling=mean"]
    assert [row[1] for row in rows] == ["3", "2", "1", "0", "4"]
    assert rows[-1] == ["", "4", "failed", "2", "0.5420", ERROR.replace("\x1b", "␛")]
    assert "b" not in page.tags


def test_nothing_that_a_setting_or_an_error_holds_becomes_html(tmp_path: Path) -> None:
    evil = "</td><script>alert(1)</script>$x_{"
    ranges = tmp_path / "space.yaml"
    ranges.write_text(f"encoder: {{vectors: {{choice: ['{evil}', none]}}}}", encoding="utf-8")
    recipe = load_recipe("default", ["training.epochs=3", "encoder.train_embeddings=true"])
    logs = {n: trial(n, 3, "finished") for n in range(3)}
    for log in logs.values():
        log.settings = {"encoder.vectors": evil}
    logs[3] = trial(3, 1, "failed", evil)
    metric = recipe.evaluation.model_copy(update={"metric": evil})
    for log in logs.values():
        log.evaluations = [{**each, evil: each["roc_auc"]} for each in log.evaluations]
    recipe = recipe.model_copy(update={"evaluation": metric})
    page = Page(
        report(tmp_path / evil.replace("/", ""), logs, recipe, load_space(str(ranges), recipe))
    )
    assert "script" not in page.tags
    assert page.text.count("alert(1)") >= 6


def test_the_same_trials_give_the_same_bytes(tmp_path: Path, recipe: Recipe, space: Space) -> None:
    folder = tmp_path / "sweep"
    written = []
    for _ in range(2):
        report(folder, sweep(9), recipe, space)
        written.append({path.name: path.read_bytes() for path in folder.rglob("*.*")})
    assert written[0] == written[1]
    names = {"curves.png", "best_so_far.png", "parallel.png", "importances.png", "sweep.html"}
    assert written[0].keys() == names


def test_without_test_pairs_and_with_few_trials_the_page_says_so(
    tmp_path: Path, recipe: Recipe, space: Space
) -> None:
    text = report(tmp_path / "sweep", sweep(3), recipe, space)
    assert "No test pairs were given." in text
    assert "Too few trials" in text and "random forest" not in text
    assert text.count("data:image/png") == 3


@pytest.mark.parametrize(("key", "label"), [("recall_at_1", "recall at 1"), ("cents", "cents")])
def test_trials_may_be_ranked_by_any_metric(
    tmp_path: Path, recipe: Recipe, space: Space, key: str, label: str
) -> None:
    evaluation = recipe.evaluation.model_copy(update={"metric": key})
    recipe = recipe.model_copy(update={"evaluation": evaluation})
    page = Page(report(tmp_path / "sweep", sweep(3), recipe, space))
    assert f"reached the best {label}" in page.text
    assert page.tables[-1][0][4] == label


def test_a_report_needs_no_ray() -> None:
    code = (
        "import sys, distributed.sweep.report\n"
        "print({'ray', 'matplotlib', 'tensorflow', 'keras'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
