"""Audit what was labelled in a data set: score every pair by an encoder that never saw it."""

import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from siamese.audit.bridges import find_bridges
from siamese.audit.cleaned import LeftOut, leave_out, write_cleaned
from siamese.audit.doubts import expected_grades
from siamese.audit.findings import Findings, weak_groups
from siamese.audit.folds import components, split_in_folds
from siamese.audit.labels import Labels, read_labels
from siamese.audit.overlaps import find_overlaps
from siamese.audit.report import check_report, write_report
from siamese.audit.scoring import Apply, FoldScorer, score_here
from siamese.config.recipe import Recipe
from siamese.data.in_memory import data_set_of, pairs_of
from siamese.data.shard_output import check_output
from siamese.errors import UserError
from siamese.storage.filesystem import absolute
from siamese.storage.ownership import owning

# Steps after which an encoder that is to find wrong labels has learnt most of what helps, and the
# fewest epochs, so that one of them can be the best.
STEPS, FEWEST_EPOCHS = 450, 3


@dataclass(frozen=True)
class Asked:
    """Says how to audit.

    Attributes:
        recipe: of the encoders; its seed deals the folds too.
        shorten: train for fewer epochs than the recipe says where the data are large.
        folds: how many, and so encoders.
        dev: development pairs, as in `siamese.train`, to be looked for in the data; or None.
        share: of the labelled pairs, the most doubtful, that `output` is without.
    """

    recipe: Recipe
    shorten: bool = False
    folds: int = 5
    dev: Any = None
    share: float = 0.05


def audit(
    data: Any,
    report: str,
    asked: Asked,
    output: str | None = None,
    fresh: bool = False,
    apply: Apply = score_here,
) -> tuple[Findings, LeftOut | None]:
    """Write what is doubtful in a data set into a folder, and, if asked to, the data without it.

    Args:
        data: the folder of a data set, or whatever `siamese.train` takes as groups, of labelled
            pairs.
        report: the folder for `report.html`, `doubts.jsonl`, `groups.jsonl`, `overlaps.jsonl` and,
            last, `audit.json`; a path or URI.
        asked: how to audit.
        output: a data set to write: without the most doubtful pairs, and without the texts of the
            development pairs; a path or URI.
        fresh: replace an audit and a data set that are there.
        apply: where folds are scored.

    Returns:
        What was found, and what `output` is without.

    Raises:
        UserError: the data, the pairs or the recipe cannot be used, or something is in the way.
    """
    check_report(report, fresh)
    if output is not None:
        check_output(output, fresh)
        if absolute(output) in (absolute(report), absolute(str(data))):
            raise UserError(
                f"{output}: is used for something else. Choose another --output folder."
            )
    with tempfile.TemporaryDirectory(prefix="siamese-audit-") as made, owning(report):
        location = data_set_of(data, f"{made}/data")
        labels = read_labels(location)
        dev = None if asked.dev is None else pairs_of(asked.dev)
        print(
            f"{len(labels.pairs):,} labelled pairs, {int(labels.are_positive.sum()):,} positive; "
            f"{len(labels.given):,} groups without labels",
            flush=True,
        )
        findings = _find(labels, location, dev, asked, apply)
        left_out = None if output is None else leave_out(findings, asked.share)
        write_report(report, findings, asked.recipe, left_out)
        if output is not None and left_out is not None:
            write_cleaned(output, labels, left_out, fresh)
        return findings, left_out


def _find(labels: Labels, data: str, dev: Any, asked: Asked, apply: Apply) -> Findings:
    """Score all folds, and draw the conclusions."""
    from sklearn.metrics import roc_auc_score

    recipe = _shortened(asked.recipe, labels) if asked.shorten else asked.recipe
    folds = split_in_folds(labels, asked.folds, asked.recipe.seed)
    bridges = find_bridges(labels)
    across = [(each, pair) for each, bridge in enumerate(bridges) for pair in bridge.across()]
    of_bridge = np.array([each for each, _ in across], np.int64)
    bridge_folds = np.array([folds[bridge.pair] for bridge in bridges], np.int64)
    score = FoldScorer(
        data=absolute(data),
        folds=folds,
        across=np.array([pair for _, pair in across], np.int64).reshape(-1, 2),
        across_folds=bridge_folds[of_bridge],
        recipe=recipe,
    )
    print(f"{asked.folds} encoders, each of at most {recipe.training.epochs} epochs", flush=True)
    scores, thresholds = np.empty(len(folds)), np.empty(asked.folds)
    across_scores = np.empty(len(across))
    for fold, found in apply(score, range(asked.folds)):
        inside = folds == fold
        scores[inside], thresholds[fold] = found.scores, found.threshold
        across_scores[score.across_folds == fold] = found.across
        auc = roc_auc_score(labels.are_positive[inside], found.scores)
        print(
            f"fold {fold + 1} of {asked.folds}: {int(inside.sum()):,} pairs scored, "
            f"roc_auc {auc:.4f}",
            flush=True,
        )
    return Findings(
        labels=labels,
        folds=folds,
        scores=scores,
        expected=expected_grades(labels, scores, folds),
        weak_groups=weak_groups(
            bridges,
            [across_scores[of_bridge == each] for each in range(len(bridges))],
            thresholds[bridge_folds],
        ),
        overlaps=None if dev is None else find_overlaps(labels, dev),
    )


def _shortened(recipe: Recipe, labels: Labels) -> Recipe:
    """Return the recipe with fewer epochs if it has more than make about `STEPS` steps."""
    positive = labels.ends[labels.are_positive]
    joined = np.unique(components(len(labels.texts), positive)[positive[:, 0]])
    steps = max((len(joined) + len(labels.given)) // recipe.sampling.batch_groups, 1)
    epochs = min(recipe.training.epochs, max(-(-STEPS // steps), FEWEST_EPOCHS))
    training = recipe.training.model_copy(update={"epochs": epochs})
    return recipe.model_copy(update={"training": training})
