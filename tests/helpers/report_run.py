"""The folder of a run as training leaves it, made without training; and what its page shows."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.loading import load_recipe
from siamese.config.recipe import Recipe
from siamese.data.pair import Pair
from siamese.encoder.bilstm_keras import build_encoder
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoder.weights import weights_of
from siamese.evaluation.pair_metrics import evaluate_scores, labels_of
from siamese.report.encoder_diagram import EXAMPLE
from siamese.text.vocabulary import Vocabulary
from siamese.training.best_model import write_scores
from siamese.training.run_folder import RunFolder

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


def make_run(
    folder: Path, overrides: list[str], epochs: int, figures: dict[str, float] | None = None
) -> RunFolder:
    """Write what training leaves; the last epoch but one is the best.

    Args:
        folder: of the run.
        overrides: of the default recipe's settings.
        epochs: that it has trained.
        figures: of further evaluators, the same in every epoch.
    """
    small = ["encoder.embedding_dim=4", "encoder.lstm_units=[3, 2]", f"training.epochs={epochs}"]
    recipe = load_recipe("default", [*small, *overrides])
    pairs, scores = make_pairs()
    run = RunFolder(folder)
    run.start(
        recipe,
        {"groups": 1234, "texts": 5678, "dev_pairs": 80, "dev_positives": 40, "hash": "ab" * 32},
        fresh=False,
    )
    metrics: dict[str, Any] = evaluate_scores(
        scores, labels_of(pairs), recipe.evaluation.threshold
    ).as_dict()
    metrics |= figures or {}
    for epoch in range(1, epochs + 1):
        for step in (10 * epoch - 5, 10 * epoch):
            at = {"epoch": epoch, "step": step}
            run.log({"event": "train", **at, "loss": 5 / step, "learning_rate": 0.001})
        run.log({"event": "evaluation", **at, **metrics, "train_seconds": 1.5})
    best = max(epochs - 1, 1)
    save_encoder(run.best, recipe, {"epoch": best, "step": 10 * best, **metrics})
    write_scores(run.path, pairs, scores)
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
