"""What mined negatives are worth: a model trained with them beside the one that found them.

    python tests/benchmarks/negatives.py CORPUS [--train df_train.json] [--recipe default]
        [--set KEY=VALUE …] [--margins 0.95 0.8] [--per-group 1 2] [--rounds 1] [--seeds 1]

CORPUS is a folder with `df_test.txt` (labelled pairs) and the file to train on. Each seed trains a
model, mines negatives with it, trains a new model on these, and, with more rounds, mines with that
one. Accuracy is that of a threshold fitted on every other pair and applied to the rest, both ways;
MRR that of `siamese evaluate --retrieval`. The epoch is picked by the ROC AUC on the same pairs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measured import show
from quality import figures

from siamese.mining.search import Query, Search
from siamese.report.run_contents import read_scores
from siamese.storage.atomic import read_json


def siamese(*arguments: object) -> None:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "distributed", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")


def trained(data: Path, dev: Path, run: Path, recipe: str, settings: list[str]) -> dict[str, float]:
    """Train on a data set, and return the figures of the best model."""
    sets = [part for setting in settings for part in ("--set", setting)]
    siamese("train", "--data", data, "--dev", dev, "--run", run, "--recipe", recipe, *sets)
    _, labels, scores = read_scores(run / "best_scores.parquet")
    siamese("evaluate", run / "best", dev, "--retrieval", "--json", run / "retrieval.json")
    found = {**figures(scores, labels), "MRR": read_json(run / "retrieval.json")["mrr"]}
    print(f"{run.name}: {found}", file=sys.stderr, flush=True)
    return found


def measured(options: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """A row for the labels alone, and one for each way and round of mining."""
    dev = options.corpus / "df_test.txt"
    siamese("shard", options.corpus / options.train, "--output", scratch / "data")
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(1, options.seeds + 1):
        settings = [*options.settings, f"seed={seed}"]
        first = scratch / f"{seed}-first"
        found.setdefault("labels alone", []).append(
            trained(scratch / "data", dev, first, options.recipe, settings)
        )
        for margin, count in product(options.margins, options.per_group):
            model = first / "best"
            for number in range(1, options.rounds + 1):
                name = f"margin {margin}, {count} a group, round {number}"
                folder = scratch / f"{seed}-{margin}-{count}-{number}"
                mined = folder.with_suffix(".data")
                ways = ("--margin", margin, "--per-group", count, "--output", mined)
                siamese("negatives", model, scratch / "data", *ways)
                found.setdefault(name, []).append(
                    trained(mined, dev, folder, options.recipe, settings)
                )
                model = folder / "best"
    return [_row(name, each) for name, each in found.items()]


def _row(name: str, found: list[dict[str, float]]) -> dict[str, Any]:
    """Means, and how far seeds lie apart (standard deviation)."""
    cells = {}
    for key in ("accuracy", "roc_auc", "spearman", "MRR"):
        values = [each[key] for each in found]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        cells[key] = f"{np.mean(values):.3f}{spread}"
    return {"negatives": name, **cells}


def speed(sizes: list[int], dim: int = 384, groups: int = 500) -> list[dict[str, Any]]:
    """A row for each number of texts: how long groups of two of them search all."""
    rows = []
    for texts in sizes:
        embeddings = np.random.default_rng(1).normal(size=(texts, dim)).astype(np.float32)
        own = np.arange(2 * groups).reshape(-1, 2)
        queries = [Query(pair, pair.copy, 0.9) for pair in own]
        start, used = time.perf_counter(), time.process_time()
        Search(embeddings, texts, "cosine", 1).answers(queries)
        start, used = time.perf_counter() - start, time.process_time() - used
        rows.append(
            {
                "texts": texts,
                "texts searching a second": round(2 * groups / start),
                "for each second of a core": round(2 * groups / used),
                "all, in minutes of a core": texts / (2 * groups) * used / 60,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path, nargs="?", help="without one, only speed is measured")
    parser.add_argument("--train", default="train_pairs.tsv")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--margins", type=float, nargs="*", default=[0.95])
    parser.add_argument("--per-group", type=int, nargs="*", default=[1])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.corpus:
        with tempfile.TemporaryDirectory(prefix="negatives-") as scratch:
            rows = measured(options, Path(scratch))
        title = f"Mined negatives on {options.corpus.name}, {options.train}"
        caption = f"""Means of {options.seeds} seeds ± standard deviation. accuracy: threshold
        fitted on one half of the pairs, applied to the other."""
        show(title, rows, caption, options.json)
    show(
        "Searching",
        speed([20_000, 100_000]),
        "Groups of two texts, 384 numbers each, random.",
        options.json,
    )


if __name__ == "__main__":
    main()
