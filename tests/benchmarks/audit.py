"""Flip some labels, audit, and see how many of them are found; then train on what is left.

    python tests/benchmarks/audit.py data/siamese/df_dev.txt --groups data/siamese/df_train.json
    python tests/benchmarks/audit.py pairs.tsv --test test.tsv --recipe default --seeds 1 2 3

A row for each seed, which flips labels, deals the folds and trains: the share of the flipped labels
among as many of the most doubtful ones; the same by the encoders' scores alone; and with `--test`,
the ROC AUC on these pairs of an encoder trained on the labels as they were, with some flipped, on
what the audit left of those, and on the labels as they were but for what an audit of them doubts.
The best epoch is picked on the same pairs, which flatters all a little.
"""

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from measured import show

from siamese import train
from siamese.audit.audit import Asked, audit
from siamese.audit.findings import Findings
from siamese.config.loading import load_recipe
from siamese.data.pair import Pair
from siamese.data.reading import read_pairs
from siamese.data.sharding import make_data_set


def data_set(pairs: list[Pair], groups: list[str], folder: Path) -> str:
    """Make a data set of pairs and files of groups."""
    lines = [f"{pair.text1}\t{pair.text2}\t{pair.label}\n" for pair in pairs]
    folder.mkdir()
    (folder / "labelled.tsv").write_text("".join(lines), encoding="utf-8")
    make_data_set([str(folder / "labelled.tsv"), *groups], folder / "data")
    return str(folder / "data")


def key(pair: Pair) -> frozenset[str]:
    """What tells a pair from others, whichever text comes first."""
    return frozenset((pair.text1, pair.text2))


def found(flipped: set[frozenset[str]], findings: Findings, doubts: np.ndarray) -> float:
    """The share of flipped labels among as many of the highest doubts."""
    first = np.argsort(-doubts, kind="stable")[: len(flipped)]
    return float(np.mean([key(findings.labels.pairs[n]) in flipped for n in first.tolist()]))


def doubts_by_score(findings: Findings) -> np.ndarray:
    """Doubts from the encoders' scores alone, by a logistic regression on the other folds."""
    from sklearn.linear_model import LogisticRegression

    expected = np.empty(len(findings.scores))
    scores, labels = findings.scores[:, None], findings.labels.are_positive
    for fold in np.unique(findings.folds):
        own = findings.folds == fold
        model = LogisticRegression(C=1e4).fit(scores[~own], labels[~own])
        expected[own] = model.predict_proba(scores[own])[:, 1]
    return np.abs(labels - expected)


def main() -> None:
    """Measure every seed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", nargs="+", help="labelled pairs, 0 or 1")
    parser.add_argument("--groups", nargs="*", default=[], help="files of groups without labels")
    parser.add_argument("--test", help="labelled pairs to judge what is trained then")
    parser.add_argument("--flip", type=float, default=0.05)
    parser.add_argument("--recipe", help="of the audit; else `audit`, shortened")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--train", default="audit", help="the recipe of what is trained then")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(options, seed, Path(folder)))
            print(rows[-1], flush=True)
    show(
        f"Audit: {options.flip:.0%} of the labels flipped",
        rows,
        "found: of the flipped labels, among as many of the most doubtful; ROC AUC of what is "
        "trained then",
        options.json,
    )


def measured(options: argparse.Namespace, seed: int, folder: Path) -> dict[str, object]:
    """The figures of one seed."""
    pairs = list({key(pair): pair for pair in read_pairs(options.pairs)}.values())
    pairs = [pair for pair in pairs if pair.text1 != pair.text2]
    chosen = np.random.default_rng(seed).permutation(len(pairs))[: round(options.flip * len(pairs))]
    noisy = list(pairs)
    for number in chosen.tolist():
        noisy[number] = Pair(pairs[number].text1, pairs[number].text2, 1 - pairs[number].label)
    flipped = {key(pairs[number]) for number in chosen.tolist()}
    recipe = load_recipe(options.recipe or "audit", [*options.settings, f"seed={seed}"])
    asked = Asked(recipe, shorten=not options.recipe, share=options.flip)
    start = time.perf_counter()
    data = data_set(noisy, options.groups, folder / "noisy")
    findings, _ = audit(data, str(folder / "audit"), asked, str(folder / "cleaned"))
    row: dict[str, object] = {
        "seed": seed,
        "pairs": len(pairs),
        "found": round(found(flipped, findings, findings.doubts), 3),
        "by score": round(found(flipped, findings, doubts_by_score(findings)), 3),
        "seconds": round(time.perf_counter() - start),
    }
    if options.test:
        whole = data_set(pairs, options.groups, folder / "whole")
        audit(whole, str(folder / "audit-whole"), asked, str(folder / "whole-cleaned"))
        for name, location in (
            ("as they were", whole),
            ("flipped", data),
            ("what is left", str(folder / "cleaned")),
            ("as they were, less doubts", str(folder / "whole-cleaned")),
        ):
            with contextlib.redirect_stdout(io.StringIO()):
                encoder = train(
                    location, options.test, load_recipe(options.train, [f"seed={seed}"])
                )
            row[name] = round(encoder.metrics["roc_auc"], 4)
    return row


if __name__ == "__main__":
    main()
