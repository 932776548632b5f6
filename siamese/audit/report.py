"""Write what an audit found: JSON Lines for programs, a page for people.

DIR/doubts.jsonl      every labelled pair, the most doubtful first
DIR/groups.jsonl      groups that a single pair holds together, and whose parts look different
DIR/overlaps.jsonl    pairs and texts that are development ones too
DIR/report.html       the first of each, and figures
DIR/audit.json        figures; written last: a folder without it is no audit
"""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siamese.audit.cleaned import LeftOut
from siamese.audit.findings import Findings
from siamese.config.recipe import Recipe
from siamese.errors import UserError
from siamese.report.drawing import FAINT, NEGATIVE, POSITIVE, legend_below, number, to_png
from siamese.report.html import render
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.storage.output import check_writable, saving
from siamese.storage.ownership import MARKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LAST = "audit.json"
FILES = ("doubts.jsonl", "groups.jsonl", "overlaps.jsonl", "report.html", LAST)
SCHEMA_VERSION = 1
# Rows of each kind on the page, and texts of each part of a group.
SHOWN, SHOWN_TEXTS = 50, 8

_TEMPLATE = Path(__file__).with_name("templates") / "audit.html.j2"


def check_report(report: str, fresh: bool) -> None:
    """Check that an audit may be written there.

    Raises:
        UserError: something else is there, or an audit and `fresh` is not set.
    """
    folder = Folder(report)
    path = path_of(report)
    if path is None:
        check_writable(report)
    elif path.is_file():
        raise UserError(f"{report}: is a file. Choose another --report folder.")
    names = [name for name in folder.names() if name not in MARKS]
    if others := [name for name in names if name not in FILES]:
        raise UserError(
            f"{report}: exists and is not an audit ({others[0]} is in it). Choose another --report "
            "folder."
        )
    if names and not fresh:
        raise UserError(
            f"{report}: an audit is there already. Replace it with --fresh, or choose another "
            "--report folder."
        )


def write_report(report: str, findings: Findings, recipe: Recipe, left_out: LeftOut | None) -> None:
    """Write all files, each whole or not at all.

    Args:
        report: the folder, a path or URI.
        findings: of the audit.
        recipe: of its encoders.
        left_out: what a cleaned data set is without, if there is to be one.
    """
    folder = Folder(report)
    folder.remove(LAST)
    figures = figures_of(findings)
    about = {
        "schema_version": SCHEMA_VERSION,
        "data": findings.labels.hash,
        "figures": figures,
        "left_out": None
        if left_out is None
        else {
            "doubtful_pairs": int(left_out.doubtful.sum()),
            "overlapping_pairs": int(left_out.overlapping.sum()),
            "texts": len(left_out.texts),
        },
        "recipe": recipe.model_dump(mode="json"),
    }
    contents: tuple[Iterable[str], ...] = (
        _lines(findings.doubt_rows()),
        _lines(findings.group_rows()),
        _lines(findings.overlap_rows()),
        [_page(findings, figures, left_out)],
        [json.dumps(about, ensure_ascii=False, indent=2) + "\n"],
    )
    for name, content in zip(FILES, contents, strict=True):
        with saving(str(folder / name)) as beside, beside.open("w", encoding="utf-8") as stream:
            stream.writelines(content)


def _lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def figures_of(findings: Findings) -> dict[str, Any]:
    """Count what was found, and measure how far the labels could be foreseen.

    Args:
        findings: of the audit.
    """
    from sklearn.metrics import roc_auc_score

    positive, folds = findings.labels.are_positive, findings.folds
    by_fold = [
        roc_auc_score(positive[folds == fold], findings.scores[folds == fold])
        for fold in np.unique(folds)
    ]
    overlaps = findings.overlaps
    return {
        "pairs": len(positive),
        "positive": int(positive.sum()),
        "folds": len(by_fold),
        "roc_auc_of_scores": float(np.mean(by_fold)),
        "roc_auc_of_expected_grades": float(roc_auc_score(positive, findings.expected)),
        "doubtful": int((findings.doubts > 0.5).sum()),
        "weak_groups": len(findings.weak_groups),
        "overlapping_pairs": None if overlaps is None else len(overlaps.pairs),
        "overlapping_texts": None if overlaps is None else len(overlaps.texts_of_data),
    }


def _page(findings: Findings, figures: dict[str, Any], left_out: LeftOut | None) -> str:
    tiles = [
        ("labelled pairs", f"{figures['pairs']:,}"),
        ("positive ones", f"{figures['positive']:,}"),
        ("doubt above 0.5", f"{figures['doubtful']:,}"),
        ("weak groups", f"{figures['weak_groups']:,}"),
        ("ROC AUC of the scores", number(figures["roc_auc_of_scores"])),
        ("ROC AUC of the expected grades", number(figures["roc_auc_of_expected_grades"])),
    ]
    if findings.overlaps is not None:
        tiles.append(("development texts in the data", f"{figures['overlapping_texts']:,}"))
        tiles.append(("development pairs in the data", f"{figures['overlapping_pairs']:,}"))
    draw = partial(
        draw_expected, expected=findings.expected, are_positive=findings.labels.are_positive
    )
    return render(
        _TEMPLATE,
        title=f"Audit of {figures['pairs']:,} labelled pairs",
        tiles_=tiles,
        picture_=to_png([draw], 6.4, 4.4),
        folds=figures["folds"],
        shown=SHOWN,
        left_out=None if left_out is None else str(left_out),
        doubts=[_doubt(row) for row in islice(findings.doubt_rows(), SHOWN)],
        groups=[_group(row) for row in islice(findings.group_rows(), SHOWN)],
        overlaps=None
        if findings.overlaps is None
        else [_overlap(row) for row in islice(findings.overlap_rows(), SHOWN)],
    )


def draw_expected(axes: "Axes", expected: np.ndarray, are_positive: np.ndarray) -> None:
    """Draw which grades are expected of positive pairs and of the others.

    Args:
        axes: where.
        expected: 0 to 1 `[pairs]`.
        are_positive: bool `[pairs]`.
    """
    edges = np.linspace(0, 1, 26)
    looks: tuple[tuple[bool, str, dict[str, Any]], ...] = (
        (True, "positive", {"fill": True, "color": POSITIVE, "alpha": 0.75}),
        (False, "other", {"edgecolor": NEGATIVE, "hatch": "////", "lw": 1.6}),
    )
    for kind, name, look in looks:
        own = expected[are_positive == kind]
        axes.stairs(
            np.histogram(own, edges)[0], edges, label=f"{name} pairs ({len(own):,})", **look
        )
    axes.axvline(0.5, color=FAINT, ls=":", lw=1.4)
    axes.margins(y=0.14)
    axes.set(title="What is expected", xlabel="expected grade", ylabel="pairs")
    legend_below(axes, columns=2)


def _doubt(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["text1"],
        row["text2"],
        f"{row['grade']:g}",
        f"{row['expected']:.2f}",
        f"{row['doubt']:.2f}",
        "; ".join(row["why"]),
    )


def _group(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        _some(row["side1"]),
        _some(row["side2"]),
        f"{row['score']:.2f}",
        f"{row['across']:.2f}",
        f"{row['threshold']:.2f}",
    )


def _some(texts: list[str]) -> str:
    more = f"\n… {len(texts) - SHOWN_TEXTS:,} more" if len(texts) > SHOWN_TEXTS else ""
    return "\n".join(texts[:SHOWN_TEXTS]) + more


def _overlap(row: dict[str, Any]) -> tuple[str, ...]:
    data, dev = row["data"], row["dev"]
    if row["what"] == "pair":
        data, dev = (" / ".join(texts) for texts in (data, dev))
        grades = f"{row['grade']:g}, {row['dev_grade']:g}"
        return data, dev, row["equal"], grades
    return data, dev, row["equal"], ""
