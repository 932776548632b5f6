"""Near duplicates and near pairs: those of brute force; time and memory, beside the peers.

    python tests/benchmarks/duplicates.py --model MODEL --texts FILE [--count 1000000]
        [--exact 50000] [--threshold 0.9] [--peers-python PYTHON] [--peers-count N] [--json FILE]

First `--exact` texts are deduplicated and compared with brute force: each text in its order with
all that were kept before it, by the similarity itself. Then `--count` different texts are encoded
once, and each contestant compares these embeddings in a process of its own: `siamese dedup` and
`siamese mine` without reading and encoding, `paraphrase_mining_embeddings` of
sentence-transformers (100 neighbours and 5 million pairs at most), and semhash, in the interpreter
PYTHON, which has these two.
`--peers-count` is for peers that take too long for all.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from resources import memory

MOST_PAIRS = 5_000_000
CAPTION = """
{count:,} different texts of {mean:.1f} characters on average; similarity above {threshold}.
found: texts that go, or pairs; recall: the share of near pairs of a sample that are compared.
Embeddings are made before and read by memory map; peak memory has the part of that file that is
in memory.
"""


def ours_dedup(vectors: np.ndarray, threshold: float, **_: Any) -> dict[str, Any]:
    from siamese.search.cells import make_cells
    from siamese.search.duplicates import find_duplicates

    with tempfile.TemporaryDirectory() as temporary:
        cells = make_cells(vectors, "cosine", threshold)
        kept = Path(temporary) / "kept"
        found = find_duplicates(vectors, "cosine", threshold, cells, 0, kept)
    return {"found": int((found.of >= 0).sum()), "recall": cells.recall or 1.0}


def ours_mine(vectors: np.ndarray, threshold: float, **_: Any) -> dict[str, Any]:
    from siamese.search.cells import make_cells
    from siamese.search.communities import communities
    from siamese.search.near_pairs import near_pairs

    with tempfile.TemporaryDirectory() as temporary:
        cells = make_cells(vectors, "cosine", threshold)
        held = Path(temporary) / "held"
        pairs, _ = near_pairs(vectors, "cosine", threshold, cells, MOST_PAIRS, held)
    communities(len(vectors), pairs)
    return {"found": len(pairs.ones), "recall": cells.recall or 1.0}


def paraphrase_mining(vectors: np.ndarray, threshold: float, **_: Any) -> dict[str, Any]:
    import torch
    from sentence_transformers import util

    pairs = util.paraphrase_mining_embeddings(
        torch.from_numpy(np.array(vectors)), max_pairs=MOST_PAIRS, top_k=100
    )
    return {"found": sum(score > threshold for score, *_ in pairs), "recall": None}


def semhash(vectors: np.ndarray, threshold: float, texts: list[str]) -> dict[str, Any]:
    from semhash import SemHash

    row_of = {text: row for row, text in enumerate(texts)}

    class Given:
        """An encoder that looks its embeddings up."""

        def encode(self, inputs: Any, **_: Any) -> np.ndarray:
            return vectors[[row_of[text] for text in inputs]]

    result = SemHash.from_records(texts, model=Given()).self_deduplicate(threshold=threshold)
    return {"found": len(result.filtered), "recall": None}


CONTESTANTS = {
    "siamese dedup": ours_dedup,
    "siamese mine": ours_mine,
    "paraphrase_mining": paraphrase_mining,
    "semhash": semhash,
}
PEERS = ("paraphrase_mining", "semhash")


def contest(name: str, folder: Path, threshold: float, count: int) -> None:
    """Run one contestant in this process, and print its figures."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")[:count]
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))[:count]
    start = time.perf_counter()
    figures = CONTESTANTS[name](vectors=vectors, threshold=threshold, texts=texts)
    seconds = time.perf_counter() - start
    print(json.dumps({**figures, "seconds": seconds, "peak": memory("self", "VmHWM")}))


def run(python: str, name: str, folder: Path, threshold: float, count: int) -> dict[str, Any]:
    """Run one contestant in a process of its own; its figures, with its peak of memory."""
    arguments = ["--contest", name, "--folder", folder, "--threshold", threshold, "--count", count]
    command = [python, __file__, *map(str, arguments)]
    print(f"{name}: {count:,} texts …", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = {"": name, "texts": count}
    if done.returncode:  # such as by too little memory
        return {**row, "seconds": None, "peak (MiB)": None, "found": None, "recall": None}
    figures = json.loads(done.stdout.splitlines()[-1])
    return {
        **row,
        "seconds": figures["seconds"],
        "peak (MiB)": figures["peak"],
        "found": figures["found"],
        "recall": figures["recall"],
    }


def brute_force(vectors: np.ndarray, threshold: float) -> dict[int, tuple[int, float]]:
    """Of each text that goes: the most similar one that stays before it, and the similarity."""
    from siamese.encoder.similarity import similarity_matrix

    kept: list[int] = []
    gone = {}
    rows = np.empty_like(vectors)
    for number in range(len(vectors)):
        scores = similarity_matrix(vectors[number : number + 1], rows[: len(kept)], "cosine")[0]
        best = int(scores.argmax()) if len(scores) else -1
        if best >= 0 and scores[best] > threshold:
            gone[number] = kept[best], float(scores[best])
        else:
            rows[len(kept)] = vectors[number]
            kept.append(number)
        if number % 5000 == 4999:
            print(f"brute force: {number + 1:,} texts", file=sys.stderr, flush=True)
    return gone


def check(vectors: np.ndarray, threshold: float) -> None:
    """Compare what is found with brute force."""
    from siamese.search.cells import make_cells
    from siamese.search.duplicates import find_duplicates

    found = find_duplicates(vectors, "cosine", threshold, make_cells(vectors, "cosine", threshold))
    gone = np.flatnonzero(found.of >= 0).tolist()
    ours = {n: (int(found.of[n]), float(found.similarities[n])) for n in gone}
    expected = brute_force(vectors, threshold)
    print(
        f"{len(vectors):,} texts: {len(ours):,} near duplicates, brute force {len(expected):,}; "
        f"the same ones, of the same texts, of the same similarity: {ours == expected}",
        flush=True,
    )
    if ours != expected:
        sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--texts")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--exact", type=int, default=50_000)
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--peers-python", help="an interpreter with the peers; else none run")
    parser.add_argument("--peers-count", type=int)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contest", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contest:
        contest(given.contest, given.folder, given.threshold, given.count)
        return
    if not (given.model and given.texts):
        parser.error("give --model and --texts")
    from measured import show

    from siamese.data.reading import read_texts
    from siamese.encoder.sentence_encoder import SentenceEncoder

    texts = list(dict.fromkeys(text for text in read_texts([given.texts]) if text.strip()))
    texts = texts[: given.count]
    vectors = SentenceEncoder.load(given.model).encode(texts, show_progress_bar=True)
    if given.exact:
        check(vectors[: given.exact], given.threshold)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "vectors.npy", vectors)
        (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        mean = sum(map(len, texts)) / len(texts)
        count = len(texts)
        del vectors, texts
        rows = []
        for name in CONTESTANTS:
            is_peer = name in PEERS
            python = given.peers_python if is_peer else sys.executable
            if python:
                size = min(count, given.peers_count or count) if is_peer else count
                rows.append(run(python, name, folder, given.threshold, size))
                print(rows[-1], file=sys.stderr, flush=True)
    caption = CAPTION.format(count=count, mean=mean, threshold=given.threshold)
    show("near duplicates and pairs", rows, caption, given.json)


if __name__ == "__main__":
    main()
