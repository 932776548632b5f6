"""Thresholds and probabilities found on one half of labelled pairs, held against the other half.

    python tests/benchmarks/thresholds.py MODEL PAIRS [--precisions 0.9 0.95 0.98]

Every other pair is one half and the rest the other; each is asked once and tested once. Where the
precision asked is out of reach on a half, the row says so.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from measured import show

from siamese import SentenceEncoder, UserError
from siamese.data.reading import read_pairs
from siamese.evaluation.calibration import calibration_error, fit_calibrator
from siamese.evaluation.pair_metrics import labels_of, pair_scores
from siamese.evaluation.thresholds import Wanted, find_threshold

COLUMNS = ("threshold", "got", "±", "off (points)", "pairs above", "recall")
CAPTION = "±: half the 95 % interval of a precision that so many pairs above the threshold can show"


def rows(scores: np.ndarray, labels: np.ndarray, precisions: list[float]) -> list[dict[str, Any]]:
    """A row for each half and precision, and each half's calibration error."""
    found = []
    for half in (0, 1):
        own, rest = slice(half, None, 2), slice(1 - half, None, 2)
        for wanted in precisions:
            row = {"half": half + 1, "asked": f"precision {wanted:g}", **dict.fromkeys(COLUMNS, "")}
            try:
                threshold = find_threshold(scores[own], labels[own], Wanted("precision", wanted))
            except UserError:
                found.append({**row, "got": "out of reach"})
                continue
            above = scores[rest] > threshold.threshold
            got = float(labels[rest][above].mean()) if above.any() else float("nan")
            found.append(
                {
                    **row,
                    "threshold": f"{threshold.threshold:.4f}",
                    "got": f"{got:.4f}",
                    "±": f"{1.96 * np.sqrt(got * (1 - got) / max(above.sum(), 1)):.4f}",
                    "off (points)": f"{100 * (got - wanted):+.1f}",
                    "pairs above": int(above.sum()),
                    "recall": f"{labels[rest][above].sum() / labels[rest].sum():.4f}",
                }
            )
        probabilities = fit_calibrator(scores[own], labels[own]).probability(scores[rest])
        error = calibration_error(probabilities, labels[rest])
        judged = {**dict.fromkeys(COLUMNS, ""), "got": f"{error:.4f}"}
        found.append({"half": half + 1, "asked": "calibration error", **judged})
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("pairs")
    parser.add_argument("--precisions", type=float, nargs="+", default=[0.9, 0.95, 0.98])
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()
    encoder = SentenceEncoder.load(options.model)
    pairs = read_pairs([options.pairs])
    scores = pair_scores(pairs, encoder.encode, encoder.recipe.evaluation.similarity)
    title = f"{options.pairs}: {len(pairs):,} pairs"
    show(title, rows(scores, labels_of(pairs), options.precisions), CAPTION, options.json)


if __name__ == "__main__":
    main()
