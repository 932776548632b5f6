"""The report of a run: one page that needs nothing else, and pictures."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from report_run import EVIL, Page, make_pairs, make_run

from siamese.config.loading import load_recipe
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.report.run_report import write_report
from siamese.training.run_folder import RunFolder

PICTURES = ("curves", "similarities", "reliability", "roc_pr", "encoder")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = make_run(tmp_path_factory.mktemp("runs") / "我的 run", [], epochs=3)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*[Gg]lyph.*")
        assert write_report(run.path) == run.path / "report.html"
    return run


@pytest.fixture(scope="module")
def page(run: RunFolder) -> Page:
    return Page((run.path / "report.html").read_text(encoding="utf-8"))


def test_the_page_holds_the_figures(page: Page) -> None:
    pairs, scores = make_pairs()
    positives = [s for p, s in zip(pairs, scores, strict=True) if p.label]
    negatives = [s for p, s in zip(pairs, scores, strict=True) if not p.label]
    # The ROC AUC is how often a positive pair beats a negative one, ties counting half.
    beats = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    # Accuracy: the best that any threshold gives.
    right = max(
        sum(p > t for p in positives) + sum(n <= t for n in negatives) for t in [-9, *scores]
    )
    assert f"ROC AUC{np.mean(beats):.4f}" in page.text.replace("\n", "")
    assert f"accuracy{right / 80:.4f}" in page.text.replace("\n", "")
    assert f"judges {right} of 80" in page.text
    for words in ("best epoch2", "development pairs80", "average precision0.", "Spearman0."):
        assert words in page.text.replace("\n", "")


def test_the_page_says_that_its_figures_are_optimistic(page: Page) -> None:
    assert "chose the best epoch and the threshold" in page.text
    assert "optimistic" in page.text


def test_the_worst_errors_are_in_order(run: RunFolder, page: Page) -> None:
    threshold = SentenceEncoder.load(run.best).threshold
    triples = [(s, p) for p, s in zip(*make_pairs(), strict=True)]
    above = sorted(
        (t for t in triples if t[1].label == 0 and t[0] > threshold), key=lambda t: -t[0]
    )
    below = sorted(
        (t for t in triples if t[1].label == 1 and t[0] <= threshold), key=lambda t: t[0]
    )
    assert len(below) > 5 < len(above)
    for table, expected in zip(page.tables, (above, below), strict=False):
        assert table[0] == ["text 1", "text 2", "score"]
        assert table[1:] == [
            [p.text1, p.text2 or "(empty)", f"{s:.4f}".replace("-", "−")] for s, p in expected[:20]
        ]


def test_texts_cannot_become_markup(run: RunFolder, page: Page) -> None:
    assert page.tables[0][1][0] == EVIL
    assert "script" not in page.tags and "b" not in page.tags
    assert "&lt;script&gt;" in (run.path / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(run: RunFolder, page: Page) -> None:
    assert len(page.references) == 7
    assert all(reference.startswith("data:image/png;base64,") for reference in page.references)
    assert not {"link", "script", "iframe", "object"} & set(page.tags)
    source = (run.path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in source and "https://" not in source
    assert "url(" not in source and "@import" not in source


def test_the_page_tells_every_setting_and_the_data_in_words(page: Page) -> None:
    data, recipe = page.tables[2], page.tables[3]
    assert ["groups of paraphrases to train on", "1,234"] in data
    assert ["encoder.lstm_units", "[3, 2]", "units per direction, one per layer"] in recipe
    settings = load_recipe("default").model_dump()
    expected = 1 + sum(len(s) if isinstance(s, dict) else 1 for s in settings.values())
    assert len(recipe) == expected
    assert 'load("我的 run/best")' in page.text


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_neither_blank_nor_cut(run: RunFolder, name: str) -> None:
    from matplotlib.image import imread

    picture = imread(run.path / "pictures" / f"{name}.png")
    assert min(picture.shape[:2]) >= 500
    assert len(np.unique(picture[:, :, :3].sum(axis=2))) > 20
    margins = [picture[:5], picture[-5:], picture[:, :5], picture[:, -5:]]
    assert all((margin == 1).all() for margin in margins)
    assert b"Software" not in (run.path / "pictures" / f"{name}.png").read_bytes()


def test_the_same_run_gives_the_same_bytes(run: RunFolder, tmp_path: Path) -> None:
    names = ["report.html", *(f"pictures/{name}.png" for name in PICTURES)]
    before = {name: (run.path / name).read_bytes() for name in names}
    write_report(run.path)
    assert {name: (run.path / name).read_bytes() for name in names} == before
    files = {p.name for p in run.path.rglob("*.png")} | {p.name for p in run.path.glob("*.html")}
    assert files == {Path(name).name for name in names}


def test_a_run_of_one_epoch_in_the_notebooks_way(tmp_path: Path) -> None:
    overrides = ["evaluation.similarity=notebook", "evaluation.threshold=40"]
    run = make_run(tmp_path / "run", [*overrides, "evaluation.metric=f1"], epochs=1)
    text = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert "set by the recipe" in text
    assert "chose the best epoch, so" in text
    assert "None." in text  # nothing is above the threshold, so there is no false positive


def test_importing_the_report_is_light() -> None:
    code = (
        "import sys, siamese.report.run_report\n"
        "print({'matplotlib', 'tensorflow', 'keras'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
