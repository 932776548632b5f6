"""Searching an index: what is found, how fast, in how much memory, beside faiss and plain numpy.

    python tests/benchmarks/search.py MODEL --texts FILE [--count 100000] [--queries 1000]
        [--folder DIR] [--json FILE]

FILE is anything `siamese index` reads; its first COUNT texts are indexed, the next ones are the
questions, and then come 1,000 that are added. DIR keeps the index and what the peers build, so that
a rerun is quick. Each engine has a process of its own; all get the same embeddings. faiss is left
out, with a word, where it is not installed. It must be found that

- up to 100,000 texts, and of more by comparing all, hits and scores are those of brute force;
- of more, the index finds 0.99 of the ten nearest (of equally near ones, any);
- adding 1,000 texts writes little, and leaves the files there as they are.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from measured import show

from siamese import Index, SentenceEncoder
from siamese.encoder.nearest import Nearest
from siamese.encoder.similarity import similarity_matrix
from siamese.search.entry import Entry, read_entries

K = 10
ADDED = 1000
# Questions that are compared with every text by plain brute force, and asked one by one.
BRUTE, ALONE = 40, 300
# How widely faiss searches its graph: the first that finds as much as the index, or enough.
WIDTHS = (32, 64, 96, 128, 192, 256, 384, 512)
ENOUGH = 0.99
BUILD = "build faiss"
CAPTION = """
{count:,} texts, {dim} numbers each; {queries:,} other texts as questions, {k} hits each, without
the time to encode them. Recall: hits as near as the {k}th nearest. Memory: what the process had
more after opening and asking, MiB; mapped: files in memory that the system may take back.
"""

Search = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def texts_of(arguments: argparse.Namespace) -> list[str]:
    """The texts to index, the questions and the texts to add."""
    number = arguments.count + arguments.queries + ADDED
    texts = [entry.text for entry in islice(read_entries([arguments.texts]), number)]
    if len(texts) < number:
        sys.exit(f"{arguments.texts}: {len(texts):,} texts, {number:,} are needed")
    return texts


def prepare(arguments: argparse.Namespace) -> tuple[list[str], float]:
    """Build the index, unless it is there, and the embeddings of the questions; seconds it took."""
    folder, texts = arguments.folder, texts_of(arguments)
    index, taken = folder / "index", folder / "seconds.json"
    if not taken.exists():
        start = time.perf_counter()
        Index.build(
            texts[: arguments.count], arguments.model, index, fresh=True, show_progress_bar=True
        )
        taken.write_text(json.dumps(time.perf_counter() - start))
    encoder = SentenceEncoder.load(arguments.model)
    questions = texts[arguments.count :][: arguments.queries]
    np.save(folder / "questions.npy", encoder.encode(questions))
    return texts, json.loads(taken.read_text())


# --- engines, each in a process of its own


def embeddings_in(folder: Path) -> np.ndarray:
    """The embeddings that the index was built of, mapped into memory."""
    [path] = folder.glob("index/*.embeddings.npy")
    return np.load(path, mmap_mode="r")


def directions(embeddings: np.ndarray) -> np.ndarray:
    """Embeddings of unit length."""
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def ours(folder: Path, model: str) -> Search:
    """The index as `siamese search` has it."""
    index = Index.open(folder / "index", model)

    def search(questions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = index._state.find(questions, K)
        return np.array([rows for rows, _ in found]), np.array([scores for _, scores in found])

    return search


def ours_exact(folder: Path, model: str) -> Search:
    """The index by comparing all texts, as up to 100,000 are."""
    nearest = Nearest(embeddings_in(folder), "cosine")

    def search(questions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = nearest.find(questions, K)
        return np.array([rows for rows, _ in found]), np.array([scores for _, scores in found])

    return search


def plain_numpy(folder: Path, model: str) -> Search:
    """A matrix product and the largest of each row."""
    candidates = np.asarray(directions(embeddings_in(folder)))

    def search(questions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for start in range(0, len(questions), 64):
            scores = directions(questions[start : start + 64]) @ candidates.T
            best = np.argpartition(-scores, K, axis=1)[:, :K]
            order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
            found.append(np.take_along_axis(best, order, 1))
        rows = np.concatenate(found)
        return rows, np.zeros(rows.shape)

    return search


def faiss_flat(folder: Path, model: str) -> Search:
    """Comparing all, in faiss."""
    import faiss

    flat = faiss.IndexFlatIP(embeddings_in(folder).shape[1])
    flat.add(np.asarray(directions(embeddings_in(folder))))
    return lambda questions: flat.search(directions(questions), K)[::-1]


def faiss_graph(folder: Path, model: str) -> Search:
    """A graph in faiss, as `build_faiss` left it."""
    import faiss

    graph = faiss.read_index(str(folder / "faiss.graph"))
    graph.hnsw.efSearch = json.loads((folder / "faiss.json").read_text())["width"]
    return lambda questions: graph.search(directions(questions), K)[::-1]


def build_faiss(folder: Path) -> None:
    """Build a graph as large as ours, and find how widely to search it to find as much."""
    import faiss

    path = folder / "faiss.graph"
    start = time.perf_counter()
    if not path.exists():
        candidates = np.asarray(directions(embeddings_in(folder)))
        graph = faiss.IndexHNSWFlat(candidates.shape[1], 24, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = 128
        graph.add(candidates)
        faiss.write_index(graph, str(path))
    taken = time.perf_counter() - start
    graph = faiss.read_index(str(path))
    questions = directions(np.load(folder / "questions.npy"))
    ours = recall(folder, np.load(folder / "siamese index.npz")["rows"])
    for width in WIDTHS:
        graph.hnsw.efSearch = width
        found = recall(folder, graph.search(questions, K)[1])
        print(f"faiss: built in {taken:,.0f} s; width {width}: recall {found:.4f}", flush=True)
        if found >= (ENOUGH if ours == 1 else ours):
            break
    (folder / "faiss.json").write_text(json.dumps({"width": width}))


ENGINES: dict[str, Callable[[Path, str], Search]] = {
    "siamese index": ours,
    "siamese, all compared": ours_exact,
    "faiss HNSW": faiss_graph,
    "faiss flat": faiss_flat,
    "numpy": plain_numpy,
}


def recall(folder: Path, found: np.ndarray) -> float:
    """The share of hits that are as near as the last of the nearest."""
    truth = np.load(folder / "siamese, all compared.npz")["scores"]
    candidates, questions = embeddings_in(folder), np.load(folder / "questions.npy")
    near = 0
    for rows, question, scores in zip(found, questions, truth, strict=True):
        exact = similarity_matrix(question[None], candidates[np.sort(rows)], "cosine")[0]
        near += int(np.count_nonzero(exact >= scores[K - 1]))
    return near / found.size


def memory() -> dict[str, float]:
    """MiB that this process has: its own, and of files that are mapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"own": int(fields["RssAnon"]) / 1024, "mapped": int(fields["RssFile"]) / 1024}


def run_engine(name: str, folder: Path, model: str) -> dict[str, Any]:
    """Open an engine and ask it; what the table shows of it."""
    questions = np.load(folder / "questions.npy")
    if name.startswith("faiss"):
        import faiss  # noqa: F401 (its own memory does not count)
    before, start = memory(), time.perf_counter()
    search = ENGINES[name](folder, model)
    opened = time.perf_counter() - start
    search(questions[:2])
    times = []
    for question in questions[:ALONE]:
        start = time.perf_counter()
        search(question[None])
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    rows, scores = search(questions)
    bulk = time.perf_counter() - start
    after = memory()
    np.savez(folder / f"{name}.npz", rows=rows, scores=scores)
    return {
        "engine": name,
        "open (s)": opened,
        "own": after["own"] - before["own"],
        "mapped": after["mapped"] - before["mapped"],
        "one by one (/s)": len(times) / sum(times),
        "p99 (ms)": 1000 * float(np.quantile(times, 0.99)),
        "in bulk (/s)": len(questions) / bulk,
    }


def in_process(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run an engine in a process of its own."""
    command = [sys.executable, __file__, arguments.model, "--folder", str(arguments.folder)]
    if name == "faiss HNSW":
        subprocess.run([*command, "--engine", BUILD], check=True)
    done = subprocess.run([*command, "--engine", name], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# --- what must hold


def check_brute_force(folder: Path) -> None:
    """The hits of comparing all are those of brute force, to the last bit."""
    questions, candidates = np.load(folder / "questions.npy"), embeddings_in(folder)
    found = np.load(folder / "siamese, all compared.npz")
    for place, question in enumerate(questions[:BRUTE]):
        blocks = range(0, len(candidates), 1 << 16)
        scores = np.concatenate(
            [
                similarity_matrix(question[None], candidates[b : b + (1 << 16)], "cosine")[0]
                for b in blocks
            ]
        )
        order = np.argsort(-scores, kind="stable")[:K]
        assert found["rows"][place].tolist() == order.tolist()
        assert found["scores"][place].tolist() == scores[order].tolist()
    print(f"{BRUTE} questions by brute force: the same hits, the same scores", flush=True)


def add(arguments: argparse.Namespace, texts: list[str]) -> dict[str, Any]:
    """Add texts to a copy of the index, whose files are links to those of the index."""
    copy = arguments.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(arguments.folder / "index", copy, copy_function=os.link)
    there = {path.name: path.stat() for path in copy.iterdir() if path.name != "manifest.json"}
    (copy / "manifest.json").unlink()  # the one file that is replaced
    shutil.copy(arguments.folder / "index" / "manifest.json", copy)
    index = Index.open(copy, arguments.model)
    entries = [Entry(f"new-{n}", text, {}) for n, text in enumerate(texts[-ADDED:])]
    start = time.perf_counter()
    index.add(entries)
    added = time.perf_counter() - start
    start = time.perf_counter()
    index.remove([entry.id for entry in entries[::2]])
    removed = time.perf_counter() - start
    after = {path.name: path.stat() for path in copy.iterdir()}
    assert all(os.path.samestat(after[name], stat) for name, stat in there.items())
    written = sum(stat.st_size for name, stat in after.items() if name not in there)
    hits = index.search_many([entry.text for entry in entries[1::2]], 1, threshold=-1)
    assert all(hit.score > 0.999999 for [hit] in hits)
    start = time.perf_counter()
    Index.open(copy, index.encoder)
    return {
        "texts added": len(entries),
        "seconds": added,
        "to remove half (s)": removed,
        "written (MiB)": written / 2**20,
        "index (MiB)": sum(stat.st_size for stat in after.values()) / 2**20,
        "to open (s)": time.perf_counter() - start,
    }


def measure(arguments: argparse.Namespace) -> None:
    """All of it."""
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    texts, built = prepare(arguments)
    print(f"index of {arguments.count:,} texts: built in {built:,.0f} s", flush=True)
    missing = "" if find_spec("faiss") else " faiss is not installed: left out."
    names = [name for name in ENGINES if not (missing and name.startswith("faiss"))]
    names.sort(key=lambda name: name != "siamese, all compared")  # what is nearest, first
    rows = []
    for name in names:
        row = in_process(name, arguments)
        found = np.load(folder / f"{name}.npz")
        if name == "siamese, all compared":
            check_brute_force(folder)
        row["recall@10"] = recall(folder, found["rows"])
        print(json.dumps(row), flush=True)
        rows.append(row)
    rows.sort(key=lambda row: list(ENGINES).index(row["engine"]))
    dim = embeddings_in(folder).shape[1]
    caption = CAPTION.format(count=arguments.count, dim=dim, queries=arguments.queries, k=K)
    show("Searching", rows, caption + missing, arguments.json)
    assert rows[0]["recall@10"] >= ENOUGH
    show("Adding", [add(arguments, texts)], "In a copy of the index.", arguments.json)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--texts")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine == BUILD:
        build_faiss(arguments.folder)
        return
    if arguments.engine:
        print(json.dumps(run_engine(arguments.engine, arguments.folder, arguments.model)))
        return
    arguments.folder = arguments.folder or Path(f"/tmp/search-{arguments.count}")
    measure(arguments)


if __name__ == "__main__":
    main()
