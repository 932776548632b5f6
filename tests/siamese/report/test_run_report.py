"""The report of a run: one page that needs nothing else, and pictures."""

import io
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from siamese.config.recipe import Recipe, load_recipe
from siamese.data.pair import Pair
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.weights import weights_of
from siamese.errors import UserError
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of
from siamese.report.drawing import to_png
from siamese.report.encoder_diagram import EXAMPLE
from siamese.report.pair_plots import draw_precision_recall, draw_similarities
from siamese.report.run_report import write_report
from siamese.text.vocabulary import Vocabulary
from siamese.training.run_folder import RunFolder

PICTURES = ("curves", "similarities", "reliability", "roc_pr", "encoder")
EVIL = '<script>alert("坏")</script>\t& <b>\n'


def make_pairs() -> tuple[list[Pair], np.ndarray]:
    """80 pairs of overlapping scores, ties among them; the worst false positive is evil."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    labels[0] = 0
    scores = np.round(rng.normal(0.1 + 0.15 * labels, 0.3), 2)
    scores[0] = scores.max() + 0.01
    pairs = [Pair(f"问{i}", f"答{i}", int(label)) for i, label in enumerate(labels)]
    pairs[0] = Pair(EVIL, "", 0)
    return pairs, scores


def make_run(folder: Path, overrides: list[str], epochs: int) -> RunFolder:
    """Write what training leaves, without training; the last epoch but one is the best."""
    small = ["encoder.embedding_dim=4", "encoder.lstm_units=[3, 2]", f"training.epochs={epochs}"]
    recipe = load_recipe("default", [*small, *overrides])
    pairs, scores = make_pairs()
    run = RunFolder(folder)
    run.start(
        recipe,
        {"groups": 1234, "texts": 5678, "dev_pairs": 80, "dev_positives": 40, "hash": "ab" * 32},
        fresh=False,
    )
    metrics = evaluate_scores(scores, labels_of(pairs), recipe.evaluation.threshold)
    for epoch in range(1, epochs + 1):
        for step in (10 * epoch - 5, 10 * epoch):
            at = {"epoch": epoch, "step": step}
            run.log({"event": "train", **at, "loss": 5 / step, "learning_rate": 0.001})
        run.log({"event": "evaluation", **at, **metrics.as_dict(), "train_seconds": 1.5})
    best = max(epochs - 1, 1)
    save_encoder(run.best, recipe, {"epoch": best, "step": 10 * best, **metrics.as_dict()})
    run.write_scores(pairs, scores)
    return run


def save_encoder(folder: Path, recipe: Recipe, metrics: dict) -> None:
    vocabulary = Vocabulary(Counter("".join(EXAMPLE)))
    embeddings = np.random.default_rng(1).normal(size=(len(vocabulary), 4)).astype(np.float32)
    model, _ = build_encoder(recipe.encoder, embeddings)
    weights = weights_of(model)
    SentenceEncoder(weights, vocabulary, recipe, metrics["threshold"], metrics).save(folder)


class Page(HTMLParser):
    """The rows of the tables (by the table's number), the tags and what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.tables[-1][-1][-1] += data


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


def test_matplotlib_is_left_as_it_was_and_its_settings_do_not_matter() -> None:
    import matplotlib

    def state() -> list[object]:
        settings = {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
        return [settings, matplotlib.get_backend(auto_select=False)]

    def draw() -> bytes:
        def panel(axes: Any) -> None:
            axes.set(title="密码", xlim=(-1, 1))

        return to_png([panel], 3, 3)

    plain = draw()
    with matplotlib.rc_context({"font.size": 17, "axes.facecolor": "red", "savefig.dpi": 10}):
        before = state()
        assert draw() == plain
        assert state() == before


def test_a_run_of_one_epoch_in_the_notebooks_way(tmp_path: Path) -> None:
    overrides = ["evaluation.similarity=notebook", "evaluation.threshold=40"]
    run = make_run(tmp_path / "run", [*overrides, "evaluation.metric=f1"], epochs=1)
    text = Page(write_report(run.path).read_text(encoding="utf-8")).text
    assert "set by the recipe" in text
    assert "chose the best epoch, so" in text
    assert "None." in text  # nothing is above the threshold, so there is no false positive


def axes_of(draw: Callable[..., None], *values: object) -> Any:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    draw(axes, *values)
    figure.savefig(io.BytesIO())
    return axes


@pytest.mark.parametrize(
    ("threshold", "line", "words"),
    [
        (0.2, True, "threshold 0.2000"),
        (-0.1, True, "threshold −0.1000"),
        (1.4, True, "threshold 1.4000"),
        (99.0, False, "threshold 99.0000, above every score →"),
        (-99.0, False, "← threshold −99.0000, below every score"),
    ],
)
def test_a_threshold_far_from_the_scores_does_not_squeeze_them(
    threshold: float, line: bool, words: str
) -> None:
    scores, labels = np.array([0.0, 0.3, 0.5, 1.0]), np.array([0, 1, 0, 1])
    axes = axes_of(draw_similarities, scores, labels, threshold, "notebook")
    low, high = axes.get_xlim()
    assert high - low < 2.2
    assert (low < threshold < high) == line
    assert [text.get_text() for text in axes.texts] == [words]
    assert "cosine" not in axes.get_xlabel() and "notebook" in axes.get_xlabel()


def test_scores_that_are_all_the_same_can_be_drawn() -> None:
    axes = axes_of(draw_similarities, np.full(4, 0.5), np.array([0, 1, 0, 1]), 0.5, "cosine")
    assert "cosine" in axes.get_xlabel()


def test_there_is_no_precision_where_nothing_is_called_similar() -> None:
    scores, labels = np.array([0.1, 0.2]), np.array([0, 1])
    some = axes_of(draw_precision_recall, scores, labels, 0.15)
    none = axes_of(draw_precision_recall, scores, labels, 0.9)
    assert len(none.lines) == len(some.lines) - 1


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, run: RunFolder) -> None:
    with pytest.raises(UserError, match=r"not the folder of a run.*siamese train"):
        write_report(tmp_path)
    with pytest.raises(UserError, match="model folder: give the folder of its run"):
        write_report(run.best)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_finished_epoch_is_told_to_wait(tmp_path: Path) -> None:
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
    run.write_scores(pairs, -scores)
    with pytest.raises(UserError, match="are not the scores of"):
        write_report(run.path)


def test_importing_the_report_is_light() -> None:
    code = (
        "import sys, siamese.report.run_report\n"
        "print({'matplotlib', 'tensorflow', 'keras'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
