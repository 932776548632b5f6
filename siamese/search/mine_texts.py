"""`siamese mine`: pairs of texts that are near each other, and groups of them."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoding.filling import Encode, encode_here
from siamese.progress import progress
from siamese.search.cells import make_cells
from siamese.search.communities import communities
from siamese.search.dedup import Rows
from siamese.search.near_pairs import near_pairs
from siamese.search.rows_out import ROWS_AT_ONCE, writing
from siamese.search.store import Pairs
from siamese.search.text_set import TextSet
from siamese.storage.output import saving

COLUMNS = {"text1": pa.large_string(), "text2": pa.large_string(), "score": pa.float64()}
# Pairs that are kept, at most: some 100 MiB while they are sorted.
MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class Mined:
    """What was found.

    Attributes:
        texts: all rows' texts.
        compared: how many different ones were compared.
        pairs: of rows, the most similar first; of texts that read alike the first row stands for
            all.
        is_cut: whether there were more pairs, less similar ones.
        groups: rows of texts that are alike, the centre of each group first.
        threshold: what the similarity of each pair is above.
        unknown: how many different texts were left out, as the encoder knows no character of them.
        recall: the share of near pairs that the search finds, as measured; None: all.
    """

    texts: pa.LargeStringArray
    compared: int
    pairs: Pairs
    is_cut: bool
    groups: list[np.ndarray]
    threshold: float
    unknown: int
    recall: float | None

    def texts_of(self, rows: np.ndarray) -> list[str]:
        """Return the texts of rows."""
        texts: list[str] = self.texts.take(pa.array(rows)).to_pylist()
        return texts


def mine(
    rows: Rows,
    encoder: SentenceEncoder,
    threshold: float | None = None,
    most: int = MOST_PAIRS,
    encode: Encode = encode_here,
) -> Mined:
    """Find the pairs of texts whose similarity is above a threshold, and make groups of them.

    Args:
        rows: to be looked at.
        encoder: compares them.
        threshold: None: that of the model.
        most: pairs, at most: the most similar ones.
        encode: where texts are encoded.

    Raises:
        UserError: an input cannot be used.
    """
    limit = encoder.threshold if threshold is None else threshold
    texts = TextSet(rows.texts(), encoder)
    kind = encoder.recipe.evaluation.similarity
    with tempfile.TemporaryDirectory(prefix="siamese-mine-") as temporary:
        embeddings = texts.embeddings(Path(temporary) / "embeddings", encode)
        cells = make_cells(embeddings, kind, limit)
        with progress("comparing", len(embeddings), "texts") as advance:
            held = Path(temporary) / "held"
            pairs, is_cut = near_pairs(embeddings, kind, limit, cells, most, held, advance)
        del embeddings
    numbers = texts.compared
    groups = [numbers[group] for group in communities(len(numbers), pairs)]
    of_rows = Pairs(numbers[pairs.ones], numbers[pairs.others], pairs.similarities)
    return Mined(
        texts.texts,
        len(numbers),
        of_rows,
        is_cut,
        groups,
        limit,
        texts.unknown,
        cells.recall,
    )


def write_pairs(found: Mined, output: str, ending: str) -> None:
    """Write the pairs, the most similar first: two texts and their similarity."""
    with writing(output, ending, COLUMNS) as target:
        for start in range(0, len(found.pairs.ones), ROWS_AT_ONCE):
            ones, others, similarities = (
                part[start : start + ROWS_AT_ONCE] for part in found.pairs
            )
            columns = found.texts_of(ones), found.texts_of(others), similarities.tolist()
            target.write(
                [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns, strict=True)]
            )


def write_groups(found: Mined, output: str) -> None:
    """Write the groups as JSON Lines, which `siamese shard` takes, the largest first."""
    with saving(output) as path, path.open("w", encoding="utf-8") as target:
        for number, rows in enumerate(found.groups, start=1):
            group = {"id": str(number), "texts": found.texts_of(rows)}
            target.write(json.dumps(group, ensure_ascii=False) + "\n")


def examples(found: Mined, count: int = 3) -> Sequence[tuple[float, str, str]]:
    """Return some of the pairs, spread over all of them: similarity and texts."""
    if not len(found.pairs.ones):
        return []
    places = np.unique(np.linspace(0, len(found.pairs.ones) - 1, count).astype(np.int64))
    ones, others, similarities = (part[places] for part in found.pairs)
    return list(
        zip(similarities.tolist(), found.texts_of(ones), found.texts_of(others), strict=True)
    )
