"""How good recipes are on a corpus, beside baselines that learn little or nothing, and teachers.

    python tests/benchmarks/quality.py CORPUS [--recipes default fast …] [--also FILE …]
        [--teach FOLDER …] [--teachers SPEC …] [--init MODEL] [--seeds 3] [--set KEY=VALUE]
        [--without KEY=VALUE …]

CORPUS is a folder with `df_test.txt` (labelled pairs) and `train_pairs.tsv` or `df_train.json`.
A recipe is trained on the corpus alone; one that is written `NAME+` on the corpus and the labelled
pairs of `--also`. Recipes with distillation follow the teacher folders of `--teach`. `--teachers`
adds a row for each teacher that `siamese teach` would take. `--without` adds a row for the first
recipe with each of these settings (or several in quotes), beside it as it is: the recipe less one
part at a time.

Each run is a `siamese train` in a process of its own. Accuracy is that of a threshold fitted on
every other pair and applied to the rest, both ways. The epoch of a run, and the settings of a
baseline that has some, are picked by the ROC AUC on the same pairs, which flatters all a little.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from measured import show
from sklearn.metrics import roc_auc_score

from siamese.config.loading import load_recipe
from siamese.data.cleaning import ReadingCounts
from siamese.data.pair import Pair
from siamese.data.reading import read_groups, read_pairs, read_texts
from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.evaluation.evaluator import Encode
from siamese.evaluation.evaluators.retrieval import evaluate_retrieval
from siamese.evaluation.pair_metrics import evaluate_scores, halved_accuracy, labels_of, pair_scores
from siamese.report.run_contents import read_scores
from siamese.storage.atomic import read_json
from siamese.teaching.teacher import load_teacher


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
        rows.append(row(name, [found], time.perf_counter() - start))
    return rows


def mean_reciprocal_rank(dev: Path, encode: Encode) -> float:
    """How well every text that has a paraphrase finds it among all texts."""
    groups = read_groups([str(dev)], ReadingCounts())
    return evaluate_retrieval(groups, encode, "cosine").mrr


def teacher_row(spec: str, dev: Path) -> dict[str, Any]:
    """A row for a teacher, from its vectors of each text of the pairs."""
    pairs = read_pairs([str(dev)])
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.text1, pair.text2)))
    teacher = load_teacher(spec)
    teacher.encode(texts[:8])
    start = time.perf_counter()
    vectors = dict(zip(texts, np.asarray(teacher.encode(texts), np.float32), strict=True))
    seconds = time.perf_counter() - start

    def encode(sentences: Sequence[str]) -> np.ndarray:
        return np.stack([vectors[text] for text in sentences])

    found = figures(pair_scores(pairs, encode, "cosine"), labels_of(pairs))
    found["MRR"] = mean_reciprocal_rank(dev, encode)
    rate = len(texts) / seconds
    return row(spec, [found], 0, {"texts/s": round(rate), "size": len(vectors[texts[0]])})


def run_recipe(
    name: str, recipe: str, data: Path, dev: Path, scratch: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """A row of that name for a recipe: its figures as means over seeds."""
    found, seconds = [], []
    costs: dict[str, Any] = {}
    for seed in range(1, options.seeds + 1):
        run = scratch / f"{Path(recipe).stem}-{seed}"
        command = [sys.executable, "-m", "distributed", "train", "--data", str(data)]
        command += ["--dev", str(dev), "--run", str(run), "--recipe", recipe]
        settings = [*options.settings, *name.split(", ")[1:], f"seed={seed}"]
        command += [part for setting in settings for part in ("--set", setting)]
        if load_recipe(recipe, settings).uses_teacher:
            command += [part for folder in options.teach for part in ("--teacher", folder)]
        if options.init:
            command += ["--init", options.init]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name}, seed {seed}: {done.stderr}")
        seconds.append(time.perf_counter() - start)
        _, labels, scores = read_scores(run / "best_scores.parquet")
        encoder = SentenceEncoder.load(run / "best")
        found.append(figures(scores, labels))
        found[-1]["MRR"] = mean_reciprocal_rank(dev, encoder.encode)
        epoch = read_json(run / "best" / "metrics.json")["epoch"]
        print(f"{name} seed {seed}: {found[-1]}, best epoch {epoch}", file=sys.stderr, flush=True)
        costs = costs_of(encoder, run / "best", dev)
    return row(name, found, float(np.mean(seconds)), costs)


def costs_of(encoder: SentenceEncoder, folder: Path, dev: Path) -> dict[str, Any]:
    """What a model costs: speed on the texts of the pairs, and size."""
    texts = list(read_texts([str(dev)]))[:4096]
    encoder.encode(texts)
    start = time.perf_counter()
    encoder.encode(texts)
    rate = len(texts) / (time.perf_counter() - start)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {"texts/s": round(rate), "MB": round(size / 1e6, 1), "size": encoder.embedding_dim}


def row(
    name: str, found: list[dict[str, float]], seconds: float, costs: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A row of the table: means, and how far seeds lie apart (standard deviation)."""
    cells = {}
    for key in found[0]:
        values = [each[key] for each in found]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        cells[key] = f"{np.mean(values):.3f}{spread}"
    cells.setdefault("MRR", "–")
    nothing = {"texts/s": None, "MB": None, "size": None}
    return {"method": name, **cells, "seconds": round(seconds), **nothing, **(costs or {})}


def make_data(inputs: Sequence[str], data: Path) -> Path:
    """Shard the inputs into a data set."""
    command = [sys.executable, "-m", "distributed", "shard", *inputs, "--output", str(data)]
    subprocess.run(command, check=True, capture_output=True)
    return data


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--recipes", nargs="*", default=["default", "fast", "seed"])
    parser.add_argument("--also", nargs="*", default=[])
    parser.add_argument("--teach", nargs="*", default=[])
    parser.add_argument("--teachers", nargs="*", default=[])
    parser.add_argument("--init")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dev = options.corpus / "df_test.txt"
    pairs, groups = options.corpus / "train_pairs.tsv", options.corpus / "df_train.json"
    train = str(pairs if pairs.is_file() else groups)
    rows = [] if options.no_baselines else baselines(Path(train), dev)
    rows += [teacher_row(spec, dev) for spec in options.teachers]
    with tempfile.TemporaryDirectory(prefix="quality-") as scratch:
        data: dict[str, Path] = {}
        names = [*options.recipes]
        names += [", ".join([names[0], *settings.split()]) for settings in options.without]
        for name in names:
            recipe, plus, _ = name.partition(", ")[0].partition("+")
            if plus not in data:
                inputs = [train, *options.also] if plus else [train]
                data[plus] = make_data(inputs, Path(scratch) / f"data{plus}")
            if recipe == "seed":
                name += ", evaluation.threshold=fit, evaluation.metric=roc_auc"
            folder = Path(scratch) / str(len(rows))
            rows.append(run_recipe(name, recipe, data[plus], dev, folder, options))
    show(
        f"Quality on {options.corpus.name}",
        rows,
        f"""Means of {options.seeds} seeds ± standard deviation. accuracy: threshold fitted on one
        half of the pairs, applied to the other; best: of the threshold that is best there. MRR: of
        each text's first paraphrase among all texts. seconds: of a whole run, start-up and
        evaluations included. MB: of the model folder. size: numbers of an embedding. The epoch, and
        a baseline's settings, are picked by the ROC AUC on the same pairs. +: trained on
        {len(options.also)} more files of labelled pairs.""",
        options.json,
    )


if __name__ == "__main__":
    main()
