"""The report's page: a run's contents and pictures -> HTML that needs nothing else."""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.plots import METRIC_NAMES, number
from siamese.recipe import Recipe

if TYPE_CHECKING:
    from siamese.report import RunContents

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
    "negatives_without_group_dropped": "negative pairs dropped: neither text is in a group",
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
    "roc": "ROC curve",
    "precision": "Precision-recall curve",
    "encoder": "The encoder: two texts go through the same layers to two vectors and a similarity",
}
# What a page cannot show (HTML allows no control characters) is shown as its picture: ␀, ␁, …
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"}

_STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: #fff;
  color: #1f2933; line-height: 1.55; font-family: system-ui, -apple-system, "Segoe UI", Roboto,
  "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", sans-serif }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid #e4e7eb }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
p { max-width: 46rem; margin: .5rem 0 }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .6rem;
  margin: 1.25rem 0 }
dl div { background: #f4f6f8; border-radius: .5rem; padding: .6rem .8rem; display: flex;
  flex-direction: column; justify-content: space-between }
dt { font-size: .85rem; color: #5a6672 }
dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums }
.note { background: #fff7e0; border-left: 4px solid #e69f00; padding: .6rem .9rem }
.pictures { display: grid; gap: 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)) }
img { display: block; max-width: 100%; height: auto; margin: 0 auto }
table { border-collapse: collapse; width: 100%; font-size: .92rem }
th { text-align: left; color: #5a6672; font-weight: 600 }
th, td { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid #e4e7eb; vertical-align: top;
  overflow-wrap: anywhere }
.pairs td { white-space: pre-wrap; width: 45% }
.pairs tr > :last-child, .counts tr > :last-child { text-align: right; padding-right: 0;
  width: auto; white-space: nowrap; font-variant-numeric: tabular-nums }
.recipe td:first-child { white-space: nowrap }
.recipe td:nth-child(2) { min-width: 5rem }
@media (max-width: 36rem) {
  .recipe thead { display: none }
  .recipe tr { display: grid; grid-template-columns: auto 1fr }
  .recipe td { border: 0; padding-bottom: 0 }
  .recipe td:nth-child(2) { text-align: right; padding-right: 0 }
  .recipe tr > :last-child { grid-column: 1 / -1; border-bottom: 1px solid #e4e7eb;
    padding: 0 0 .35rem; color: #5a6672 }
}
pre, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Noto Sans Mono CJK SC",
  monospace; font-size: .88em }
pre { background: #f4f6f8; border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt }
  h2, h3 { break-after: avoid }
  dl, img, tr, pre { break-inside: avoid }
  img { max-height: 17cm; width: auto }
  th, td { padding-top: .15rem; padding-bottom: .15rem }
}
"""


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
        panels: PNGs by name: `loss`, `metrics`, `similarities`, `roc`, `precision`, `encoder`.
    """
    title = _escape(f"Run {run.name}: a Siamese sentence encoder")
    similar, different = worst_errors(run.scores, run.labels, run.encoder.threshold)
    pictures = {name: _picture(name, png) for name, png in panels.items()}
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{_verdict(run)}
<h2>Training</h2>
<div class="pictures">{pictures["loss"]}{pictures["metrics"]}</div>
<h2>Similarities</h2>
{pictures["similarities"]}
<div class="pictures">{pictures["roc"]}{pictures["precision"]}</div>
<h2>The worst errors</h2>
<h3>False positives: called similar, labelled different</h3>
{_pairs_table(run, similar)}
<h3>False negatives: called different, labelled similar</h3>
{_pairs_table(run, different)}
<h2>The encoder</h2>
{pictures["encoder"]}
<h3>Use</h3>
<pre>{_escape(_usage(run.name))}</pre>
<h2>The data</h2>
{_table("counts", ("of the data", "value"), _data_rows(run.data))}
<h2>The recipe</h2>
{_table("recipe", ("setting", "value", "meaning"), _recipe_rows(run.recipe))}
</body>
</html>
"""


def _picture(name: str, png: bytes) -> str:
    width, height = (int.from_bytes(png[start : start + 4]) for start in (16, 20))  # of the header
    data = b64encode(png).decode()
    # Drawn larger than they are shown, for sharp print and screens.
    return (
        f'<img alt="{_escape(_ALT_TEXTS[name])}" width="{width * 3 // 4}" '
        f'height="{height * 3 // 4}" src="data:image/png;base64,{data}">'
    )


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
        f"<div><dt>{_escape(name)}</dt><dd>{_escape(value)}</dd></div>"
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
development pairs correctly ({_escape(others)}); always answering “{always}” would be correct for
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


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _pairs_table(run: "RunContents", indices: Iterable[int]) -> str:
    rows = [(*map(_visible, run.pairs[i]), number(run.scores[i])) for i in indices]
    if not rows:
        return "<p>None.</p>"
    return f'<div lang="zh">{_table("pairs", ("text 1", "text 2", "score"), rows)}</div>'


def _visible(text: str) -> str:
    return text.translate(_CONTROLS) or "(empty)"


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


def _table(kind: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain texts; `kind` is its class in the style sheet."""
    top = _row("th", head)
    lines = "\n".join(_row("td", row) for row in rows)
    return f'<table class="{kind}">\n<thead>{top}</thead>\n<tbody>\n{lines}\n</tbody>\n</table>'


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _usage(name: str) -> str:
    return (
        "from siamese import SentenceEncoder\n"
        f"encoder = SentenceEncoder.load({json.dumps(name + '/best', ensure_ascii=False)})\n"
        'encoder.is_similar("怎么修改密码", "如何更改密码")'
    )


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
