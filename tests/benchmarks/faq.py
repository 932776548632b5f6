"""How a model answers the demo's FAQ: held-out queries, and questions that no entry answers.

    python tests/benchmarks/faq.py MODEL [--threshold 0.7] [--wrong] [--json FILE]

MODEL is trained on `data/faq/paraphrases.json` (`make demo`). `siamese.Index` holds the questions
of `data/faq/faq.csv`; a query of `queries.tsv` finds the right entry first or it does not, and is
answered where the best is above the threshold, the model's own or `--threshold`. `off_topic.txt`
should be refused. Beside it, TF-IDF of character 1-2-grams, fitted on the same paraphrases, with
the threshold that is best on the development pairs, as the model's is.
"""

import argparse
import csv
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measured import show
from sklearn.feature_extraction.text import TfidfVectorizer

from siamese import SentenceEncoder
from siamese.search.entry import Entry, read_entries
from siamese.search.index import Index
from siamese.storage.atomic import read_json

DATA = Path(__file__).resolve().parents[2] / "data" / "faq"

# The best entry of each question and its score.
Search = Callable[[Sequence[str]], list[tuple[str, float]]]


def read_queries() -> list[tuple[str, str]]:
    """The held-out queries, each with the entry that answers it."""
    with (DATA / "queries.tsv").open(encoding="utf-8", newline="") as file:
        return [(row["query"], row["id"]) for row in csv.DictReader(file, delimiter="\t")]


def read_lines(name: str) -> list[str]:
    """The lines of one of the FAQ's files."""
    return (DATA / name).read_text(encoding="utf-8").splitlines()


def index_search(index: Index) -> Search:
    """Search an index of the questions."""

    def search(questions: Sequence[str]) -> list[tuple[str, float]]:
        found = index.search_many(questions, k=1, threshold=-2.0)
        return [(hits[0].id, hits[0].score) for hits in found]

    return search


def tfidf(entries: Sequence[Entry]) -> tuple[Search, float]:
    """Search by TF-IDF, and the threshold that is best on the development pairs."""
    groups = read_json(DATA / "paraphrases.json")
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True)
    vectorizer.fit([text for group in groups.values() for text in group])
    questions = vectorizer.transform([entry.text for entry in entries])

    def search(texts: Sequence[str]) -> list[tuple[str, float]]:
        scores = (vectorizer.transform(texts) @ questions.T).toarray()
        return [(entries[int(row.argmax())].id, float(row.max())) for row in scores]

    firsts, seconds, labels = zip(
        *(line.split("\t") for line in read_lines("dev.txt")), strict=True
    )
    pairs = vectorizer.transform(firsts).multiply(vectorizer.transform(seconds))
    scores = np.asarray(pairs.sum(axis=1)).ravel()
    same = np.array(labels) == "1"
    candidates = np.unique(scores)
    accuracy = [np.mean((scores > candidate) == same) for candidate in candidates]
    return search, float(candidates[int(np.argmax(accuracy))])


def figures(name: str, search: Search, threshold: float) -> dict[str, Any]:
    """A row of the table: shares of the queries and of the off-topic questions."""
    queries = read_queries()
    found = search([query for query, _ in queries])
    first = np.array([hit == entry for (hit, _), (_, entry) in zip(found, queries, strict=True)])
    answered = np.array([score > threshold for _, score in found])
    refused = [score <= threshold for _, score in search(read_lines("off_topic.txt"))]
    return {
        "method": name,
        "threshold": f"{threshold:.3f}",
        "queries": len(queries),
        "first (%)": 100 * float(first.mean()),
        "answered rightly (%)": 100 * float((first & answered).mean()),
        "wrongly (%)": 100 * float((~first & answered).mean()),
        "refused (%)": 100 * float((~answered).mean()),
        "off-topic": len(refused),
        "off-topic refused (%)": 100 * float(np.mean(refused)),
    }


def print_wrong(search: Search, threshold: float) -> None:
    """Print what went wrong, a line each."""
    queries = read_queries()
    found = search([query for query, _ in queries])
    for (query, entry), (hit, score) in zip(queries, found, strict=True):
        if hit != entry:
            print(f"wrong    {score:7.4f}  {query}  |  {hit}, not {entry}")
        elif score <= threshold:
            print(f"refused  {score:7.4f}  {query}  |  {entry}")
    off_topic = read_lines("off_topic.txt")
    for text, (hit, score) in zip(off_topic, search(off_topic), strict=True):
        if score > threshold:
            print(f"answered {score:7.4f}  {text}  |  {hit}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    encoder = SentenceEncoder.load(options.model)
    entries = list(read_entries([str(DATA / "faq.csv")]))
    with tempfile.TemporaryDirectory(prefix="faq-") as scratch:
        index = Index.build(entries, encoder, Path(scratch) / "index", options.threshold)
        search = index_search(index)
        if options.wrong:
            print_wrong(search, index.threshold)
        rows = [figures(str(options.model), search, index.threshold)]
    rows.append(figures("TF-IDF, characters", *tfidf(entries)))
    show(
        f"FAQ: {len(entries)} entries",
        rows,
        """Shares of the held-out queries: first: the right entry is the nearest, whatever its
        score; answered rightly: and above the threshold; wrongly: another entry is, and above it;
        refused: nothing is above it. off-topic refused: of the questions that no entry answers. The
        threshold of either method is that of the development pairs.""",
        options.json,
    )


if __name__ == "__main__":
    main()
