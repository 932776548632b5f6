"""How good recipes are on a corpus, beside baselines that learn little or nothing.

    python tests/benchmarks/quality.py CORPUS [--recipes default fast] [--seeds 3] [--set KEY=VALUE]
        [--without KEY=VALUE …]

`--without` adds a row for the first recipe with each of these settings (or several in quotes),
beside it as it is: the recipe less one part at a time.

CORPUS is a folder with `df_test.txt` (labelled pairs) and `train_pairs.tsv` or `df_train.json`.
Each run is a `siamese train` in a process of its own. Accuracy is that of a threshold fitted on
every other pair and applied to the rest, both ways. The epoch of a run, and the settings of a
baseline that has some, are picked by the ROC AUC on the same pairs, which flatters all a little.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measured import show
from sklearn.metrics import roc_auc_score

from siamese.data.pair import Pair
from siamese.data.reading import read_pairs, read_texts
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.evaluation.pair_metrics import evaluate_scores, halved_accuracy, labels_of, pair_scores
from siamese.report.run_contents import read_scores
from siamese.storage.atomic import read_json


def figures(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The figures of one method or run."""
    metrics = evaluate_scores(scores, labels, "fit")
    accuracy, best = halved_accuracy(scores, labels)
    return {
        "accuracy": accuracy,
        "best": best,
        "roc_auc": metrics.roc_auc,
        "AP": metrics.average_precision,
        "spearman": metrics.spearman,
    }


def jaccard(pairs: list[Pair]) -> np.ndarray:
    """The share of common characters."""
    sets = [(set(p.text1), set(p.text2)) for p in pairs]
    return np.array([len(a & b) / max(len(a | b), 1) for a, b in sets])


def tf_idf(pairs: list[Pair], texts: list[str], labels: np.ndarray) -> np.ndarray:
    """Cosines of character n-grams, of the n and weights that suit these pairs best."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    found = []
    for n, sublinear, lowest in product(((1, 1), (1, 2), (1, 3), (2, 3)), (False, True), (1, 2)):
        vectorizer = TfidfVectorizer(
            analyzer="char", ngram_range=n, sublinear_tf=sublinear, min_df=lowest
        ).fit(texts)
        one, other = (vectorizer.transform(side) for side in _sides(pairs))
        found.append(np.asarray(one.multiply(other).sum(axis=1)).ravel())
    return max(found, key=lambda scores: roc_auc_score(labels, scores))


def word2vec_mean(pairs: list[Pair], texts: list[str], labels: np.ndarray) -> np.ndarray:
    """Cosines of mean character vectors, plain or weighted by rarity, whichever is better."""
    from siamese.text.word2vec import Again, train_vectors

    vectors = train_vectors(Again(lambda: iter(texts)), 300, seed=1, epochs=5, min_count=1)
    of: dict[str, int] = {}
    for text in texts:
        for character in set(text):
            of[character] = of.get(character, 0) + 1
    found = []
    for weigh in (lambda c: 1.0, lambda c: float(np.log(len(texts) / of[c]))):

        def encode(sentences: list[str], weigh: Callable[[str], float] = weigh) -> np.ndarray:
            rows = np.zeros((len(sentences), 300), np.float32)
            for row, text in zip(rows, sentences, strict=True):
                for character in text:
                    if character in of and character in vectors:
                        row += weigh(character) * vectors[character]
            return rows

        found.append(pair_scores(pairs, encode, "cosine"))
    return max(found, key=lambda scores: roc_auc_score(labels, scores))


def _sides(pairs: list[Pair]) -> tuple[list[str], list[str]]:
    return [p.text1 for p in pairs], [p.text2 for p in pairs]


def baselines(train: Path, dev: Path) -> list[dict[str, Any]]:
    """A row for each baseline."""
    pairs = read_pairs([str(dev)])
    labels = labels_of(pairs)
    texts = list(dict.fromkeys(read_texts([str(train)])))
    rows = []
    for name, score in (
        ("always the commoner answer", lambda: np.zeros(len(pairs))),
        ("Jaccard of characters", lambda: jaccard(pairs)),
        ("TF-IDF of character n-grams", lambda: tf_idf(pairs, texts, labels)),
        ("mean of word2vec vectors", lambda: word2vec_mean(pairs, texts, labels)),
    ):
        start = time.perf_counter()
        found = figures(score(), labels)
        rows.append(row(name, [found], time.perf_counter() - start, None, None))
    return rows


def run_recipe(
    name: str,
    recipe: str,
    data: Path,
    dev: Path,
    scratch: Path,
    seeds: int,
    settings: list[str],
) -> dict[str, Any]:
    """A row of that name for a recipe: its figures as means over seeds."""
    found, seconds = [], []
    encoder = None
    for seed in range(1, seeds + 1):
        run = scratch / f"{Path(recipe).stem}-{seed}"
        command = [sys.executable, "-m", "distributed", "train", "--data", str(data)]
        command += ["--dev", str(dev), "--run", str(run), "--recipe", recipe]
        for setting in (*settings, f"seed={seed}"):
            command += ["--set", setting]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}, seed {seed}: {done.stderr}")
        seconds.append(time.perf_counter() - start)
        _, labels, scores = read_scores(run / "best_scores.parquet")
        found.append(figures(scores, labels))
        epoch = read_json(run / "best" / "metrics.json")["epoch"]
        print(f"{name} seed {seed}: {found[-1]}, best epoch {epoch}", file=sys.stderr)
        encoder = SentenceEncoder.load(run / "best")
    assert encoder is not None
    parameters = encoder.weights.parameters
    return row(name, found, float(np.mean(seconds)), parameters, encoder.embedding_dim)


def row(
    name: str,
    found: list[dict[str, float]],
    seconds: float,
    parameters: int | None,
    size: int | None,
) -> dict[str, Any]:
    """A row of the table: means, and how far seeds lie apart (standard deviation)."""
    cells = {}
    for key in found[0]:
        values = [each[key] for each in found]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        cells[key] = f"{np.mean(values):.3f}{spread}"
    return {
        "method": name,
        **cells,
        "seconds": round(seconds),
        "parameters": parameters,
        "size": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipes", nargs="*", default=["default", "fast", "seed"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dev = options.corpus / "df_test.txt"
    pairs, groups = options.corpus / "train_pairs.tsv", options.corpus / "df_train.json"
    train = pairs if pairs.is_file() else groups
    rows = [] if options.no_baselines else baselines(train, dev)
    with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
        data = Path(scratch) / "data"
        command = [sys.executable, "-m", "distributed", "shard", str(train), "--output", str(data)]
        subprocess.run(command, check=True, capture_output=True)
        runs: list[tuple[str, list[str]]] = [(recipe, []) for recipe in options.recipes]
        runs += [(options.recipes[0], settings.split()) for settings in options.without]
        for recipe, without in runs:
            settings = [f"evaluation.threshold={json.dumps('fit')}"] if recipe == "seed" else []
            if recipe == "seed":
                settings.append("evaluation.metric=roc_auc")
            rows.append(
                run_recipe(
                    ", ".join([recipe, *without]),
                    recipe,
                    data,
                    dev,
                    Path(scratch) / str(len(rows)),
                    options.seeds,
                    [*settings, *options.settings, *without],
                )
            )
    show(
        f"Quality on {options.corpus.name}",
        rows,
        f"""Means of {options.seeds} seeds ± standard deviation. accuracy: threshold fitted on one
        half of the pairs, applied to the other; best: of the threshold that is best there. seconds:
        of a whole run, start-up and evaluations included. size: numbers of an embedding. The epoch,
        and a baseline's settings, are picked by the ROC AUC on the same pairs. seed: with a fitted
        threshold, and its epoch picked so.""",
        options.json,
    )


if __name__ == "__main__":
    main()
