"""The report's page: a run's contents and pictures -> HTML that needs nothing else."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.config.recipe import Recipe
from siamese.evaluation.pair_metrics import halved_accuracy
from siamese.report.html import document, escape, picture, table, visible
from siamese.report.plots import METRIC_NAMES, number

if TYPE_CHECKING:
    from siamese.report.run_contents import RunContents

WORST = 20

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
    "dev_texts_cut": "different texts of them longer than the encoder reads, and cut",
    "texts_cut": "texts longer than the encoder reads, and cut",
    "dev_pairs": "development pairs",
    "dev_positives": "positive ones among them",
    "hash": "SHA-256 of the groups and the development pairs",
}
_ALT_TEXTS = {
    "loss": "Training loss by step",
    "metrics": "Metrics of the development pairs by epoch",
    "similarities": "Histograms of the similarities of positive and negative pairs, with the "
    "threshold",
    "reliability": "Share of positive pairs by similarity, for two halves of the pairs",
    "roc": "ROC curve",
    "precision": "Precision-recall curve",
    "encoder": "The encoder: two texts go through the same layers to two vectors and a similarity",
}


def worst_errors(
    scores: np.ndarray, labels: np.ndarray, threshold: float, count: int = WORST
) -> tuple[np.ndarray, np.ndarray]:
    """The errors farthest from the truth, the worst first; equal scores keep their order.

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


def page(run: "RunContents", panels: Mapping[str, bytes]) -> str:
    """Assemble the page.

    Args:
        run: what it tells.
        panels: PNGs by name: `loss`, `metrics`, `similarities`, `reliability`, `roc`, `precision`,
            `encoder`.
    """
    title = f"Run {run.name}: a Siamese sentence encoder"
    similar, different = worst_errors(run.scores, run.labels, run.encoder.threshold)
    pictures = {name: picture(_ALT_TEXTS[name], png) for name, png in panels.items()}
    body = f"""{_verdict(run)}
<h2>Training</h2>
<div class="pictures">{pictures["loss"]}{pictures["metrics"]}</div>
<h2>Similarities</h2>
<div class="pictures">{pictures["similarities"]}{pictures["reliability"]}</div>
<p>{_transfer(run)}</p>
<div class="pictures">{pictures["roc"]}{pictures["precision"]}</div>
<h2>The worst errors</h2>
<h3>False positives: called similar, labelled different</h3>
{_pairs_table(run, similar)}
<h3>False negatives: called different, labelled similar</h3>
{_pairs_table(run, different)}
<h2>The encoder</h2>
{pictures["encoder"]}
<h3>Use</h3>
<pre>{escape(_usage(run.name))}</pre>
<h2>The data</h2>
{table("counts", ("of the data", "value"), _data_rows(run.data))}
<h2>The recipe</h2>
{table("recipe", ("setting", "value", "meaning"), _recipe_rows(run.recipe))}"""
    return document(title, body)


def _verdict(run: "RunContents") -> str:
    m, evaluation = run.encoder.metrics, run.recipe.evaluation
    pairs, positives = len(run.labels), int(run.labels.sum())
    right = int(np.sum((run.scores > run.encoder.threshold) == run.labels))
    tiles = {
        "accuracy": number(m["accuracy"]),
        "ROC AUC": number(m["roc_auc"]),
        "average precision": number(m["average_precision"]),
        "Spearman": number(m["spearman"]),
        "threshold": number(run.encoder.threshold),
        "best epoch": str(m["epoch"]),
        "development pairs": f"{pairs:,}",
    }
    items = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in tiles.items()
    )
    always = "similar" if 2 * positives > pairs else "different"
    common = max(positives, pairs - positives) / pairs
    others = ", ".join(
        f"{METRIC_NAMES.get(name, name)} {number(m[name])}"
        for name in ("precision", "recall", "f1", "mcc")
    )
    fitted = evaluation.threshold == "fit"
    source = "fitted on these pairs" if fitted else "set by the recipe"
    chose = "the best epoch and the threshold" if fitted else "the best epoch"
    seconds = sum(line["train_seconds"] for line in run.evaluations)
    return f"""<p>At the threshold, which was {source}, the encoder judges {right:,} of {pairs:,}
development pairs correctly ({escape(others)}); always answering “{always}” would be correct for
{common:.1%} of them.</p>
<dl>
{items}
</dl>
<p class="note">The development pairs chose {chose}, so these figures are optimistic: judge the
model on pairs of your own (<code>siamese evaluate</code>) before you rely on it.</p>
<p>Epochs trained: {len(run.evaluations)} of at most {run.recipe.training.epochs}, in
{_duration(seconds)} (evaluations not counted). {METRIC_NAMES[evaluation.metric]} picked the best
one.</p>
"""


def _transfer(run: "RunContents") -> str:
    transferred, best = halved_accuracy(run.scores, run.labels)
    return (
        f"A threshold that is fitted on every other pair judges {transferred:.1%} of the rest "
        f"correctly; the one that is best on the rest itself, {best:.1%}."
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _pairs_table(run: "RunContents", indices: Iterable[int]) -> str:
    rows = [(*map(visible, run.pairs[i]), number(run.scores[i])) for i in indices]
    if not rows:
        return "<p>None.</p>"
    return f'<div lang="zh">{table("pairs", ("text 1", "text 2", "score"), rows)}</div>'


def _data_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            _DATA_WORDS.get(key, key.replace("_", " ")),
            f"{value:,}" if isinstance(value, int) else f"{value:.12}…",
        )
        for key, value in data.items()
    ]


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


def _usage(name: str) -> str:
    return (
        "from siamese import SentenceEncoder\n"
        f"encoder = SentenceEncoder.load({json.dumps(name + '/best', ensure_ascii=False)})\n"
        'encoder.is_similar("怎么修改密码", "如何更改密码")'
    )
