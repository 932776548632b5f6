"""Make a run's page: its contents and pictures -> HTML that needs nothing else."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from siamese.config.metrics import METRICS, metric_of
from siamese.config.recipe import Recipe
from siamese.evaluation.calibration import halved_calibration_error
from siamese.evaluation.pair_metrics import halved_accuracy
from siamese.report.drawing import number
from siamese.report.explained_text import painted
from siamese.report.html import render
from siamese.report.run_contents import AT_THRESHOLD, REPORTED, RunContents

# Errors of each kind that are shown, and characters of a text.
WORST = 20
LONGEST = 300

_TEMPLATE = Path(__file__).with_name("templates") / "run.html.j2"

_DATA_WORDS = {
    "groups": "groups of paraphrases to train on",
    "texts": "texts in them",
    "negatives": "hard negatives among them",
    "characters": "different characters",
    "groups_read": "groups read",
    "texts_read": "texts read",
    "groups_of_one_text_dropped": "groups of one text dropped",
    "duplicate_texts_folded": "duplicate texts within a group folded",
    "pairs_read": "labelled pairs read and joined into groups",
    "contradicting_negatives_dropped": "negative pairs inside a group dropped",
    "groups_of_one_text_kept": "groups of one text kept for their negatives",
    "groups_of_one_text_kept_for_pairs": "groups of one text kept for their labelled pairs",
    "labelled_pairs": "labelled pairs kept, each once",
    "contradicting_labels": "pairs labelled several times and differently, kept with the mean",
    "dev_texts_cut": "different texts of them longer than the encoder reads, and cut",
    "texts_cut": "texts longer than the encoder reads, and cut",
    "dev_pairs": "development pairs",
    "dev_positives": "positive ones among them",
    "init": "the model that training went on from",
    "init_sha256": "SHA-256 of its manifest",
    "hash": "SHA-256 of the groups and the development pairs",
}


def worst_errors(
    scores: np.ndarray, labels: np.ndarray, threshold: float, count: int = WORST
) -> tuple[np.ndarray, np.ndarray]:
    """Find the errors farthest from the truth, the worst first; equal scores keep their order.

    Args:
        scores: similarities `[pairs]`.
        labels: 0 or 1 `[pairs]`.
        threshold: a similarity above it is called similar.
        count: of each kind, at most.

    Returns:
        Indices of the false positives (label 0, above the threshold, highest first), and of the
        false negatives (label 1, not above it, lowest first).
    """
    rising = np.argsort(scores, kind="stable")
    falling = np.argsort(-scores, kind="stable")
    false_positives = falling[(labels[falling] == 0) & (scores[falling] > threshold)]
    false_negatives = rising[(labels[rising] == 1) & (scores[rising] <= threshold)]
    return false_positives[:count], false_negatives[:count]


def page(run: RunContents, panels: Mapping[str, bytes]) -> str:
    """Render the page of a run.

    Args:
        run: what it shows.
        panels: PNGs by name: `loss`, `metrics`, `similarities`, `reliability`, `roc`, `precision`,
            `encoder`.
    """
    scores, labels, threshold = run.scores, run.labels, run.encoder.threshold
    evaluation = run.recipe.evaluation
    pairs, positives = len(labels), int(labels.sum())
    false_positives, false_negatives = worst_errors(scores, labels, threshold)
    transferred, best_on_rest = halved_accuracy(scores, labels)
    return render(
        _TEMPLATE,
        title=f"Run {run.name}: a Siamese sentence encoder",
        panels=panels,
        figures=run.encoder.metrics,
        figure_tiles=_tiles(run),
        at_threshold=[METRICS[key] for key in AT_THRESHOLD],
        chosen=metric_of(evaluation.metric),
        fitted=evaluation.threshold == "fit",
        pairs=pairs,
        right=int(np.sum((scores > threshold) == labels)),
        always="similar" if 2 * positives > pairs else "different",
        common=max(positives, pairs - positives) / pairs,
        epochs=len(run.evaluations),
        most_epochs=run.recipe.training.epochs,
        duration=_duration(sum(line["train_seconds"] for line in run.evaluations)),
        transferred=transferred,
        best_on_rest=best_on_rest,
        calibration_error=halved_calibration_error(scores, labels),
        false_positives=_errors(run, false_positives),
        false_negatives=_errors(run, false_negatives),
        best_model=json.dumps(f"{run.name}/best", ensure_ascii=False),
        data=_data_rows(run.data),
        recipe=_recipe_rows(run.recipe),
    )


def _tiles(run: RunContents) -> list[tuple[str, str]]:
    """List the figures at a glance, that which picked the epoch among them."""
    figures = run.encoder.metrics
    keys = dict.fromkeys((*REPORTED, run.recipe.evaluation.metric))
    return [
        *((metric_of(key).label, number(figures[key])) for key in keys),
        ("threshold", number(run.encoder.threshold)),
        ("best epoch", str(figures["epoch"])),
        ("development pairs", f"{len(run.labels):,}"),
    ]


def _errors(run: RunContents, indices: np.ndarray) -> list[tuple[str, str, str]]:
    """List the texts, painted by what their characters contribute, and the score of some pairs."""
    shown: list[tuple[str, str, str]] = []
    for i in indices:
        text1, text2 = run.pairs[i]
        sides: tuple[str, str]
        if max(len(text1), len(text2)) <= LONGEST and text1 and text2:
            sides = painted(run.encoder.explain(text1, text2))
        else:
            sides = _shortened(text1), _shortened(text2)
        shown.append((*sides, number(run.scores[i])))
    return shown


def _shortened(text: str) -> str:
    if len(text) > LONGEST:
        return f"{text[:LONGEST]}… ({len(text):,} characters)"
    return text or "(empty)"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for key, value in data.items():
        text = f"{value:,}" if isinstance(value, int) else str(value)
        short = f"{text[:12]}…" if key in ("hash", "init_sha256") else text
        rows.append((_DATA_WORDS.get(key, key.replace("_", " ")), short))
    return rows


def _recipe_rows(recipe: Recipe) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key, value in recipe.model_dump(mode="json").items():
        if not isinstance(value, dict):
            rows.append((key, _setting(value), Recipe.model_fields[key].description or ""))
            continue
        fields = type(getattr(recipe, key)).model_fields
        for name, setting in value.items():
            meaning = re.sub("`(.+?)`", r"“\1”", fields[name].description or "")
            rows.append((f"{key}.{name}", _setting(setting), meaning))
    return rows


def _setting(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
