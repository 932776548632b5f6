"""`siamese dedup`: the rows of some files without those that say the same as an earlier one."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.encoding.filling import Encode, encode_here
from siamese.errors import UserError
from siamese.progress import progress
from siamese.search.cells import make_cells
from siamese.search.duplicates import find_duplicates
from siamese.search.rows_out import ENDINGS, ROWS_AT_ONCE, check_rows_output, writing
from siamese.search.text_set import TextSet, read_column, read_records

# Why a row goes.
STAYS, EXACT, NEAR, BLANK = range(4)
REASONS = ("", "exact", "near", "blank")
REPORT = {
    "row": pa.int64(),
    "text": pa.large_string(),
    "reason": pa.string(),
    "of": pa.string(),
    "of_row": pa.int64(),
    "of_text": pa.large_string(),
    "similarity": pa.float64(),
}


@dataclass(frozen=True)
class Rows:
    """Rows of files.

    Attributes:
        inputs: files, globs, folders or URIs.
        column: that holds the texts; None: one of `siamese.data.records.TEXT_COLUMNS`.
        encoding: of all text files.
    """

    inputs: Sequence[str]
    column: str | None = None
    encoding: str | None = None

    def texts(self) -> pa.LargeStringArray:
        """Read the texts of all rows."""
        return read_column(self.inputs, self.column, self.encoding)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all columns of all rows, that of texts first."""
        for record in read_records(self.inputs, self.column, self.encoding):
            yield {record.column: record.text, **record.fields}


@dataclass(frozen=True)
class Dedup:
    """What was found.

    Attributes:
        texts: of the older rows, then of the others.
        older: how many older rows there are.
        reasons: why each row goes, or that it stays, int8 `[rows]`.
        of: the row that it is a duplicate of, int64 `[rows]`; -1: of none.
        similarities: to that one, float64 `[rows]`.
        threshold: of near duplicates, the similarity is above it.
        unknown: how many different texts were only compared as they are written.
        recall: the share of near pairs that the search finds, as measured; None: all.
    """

    texts: pa.LargeStringArray
    older: int
    reasons: np.ndarray
    of: np.ndarray
    similarities: np.ndarray
    threshold: float
    unknown: int
    recall: float | None

    def count(self, reason: int) -> int:
        """Count the rows, older ones aside, for which a reason holds."""
        return int(np.count_nonzero(self.reasons[self.older :] == reason))

    def report(self) -> Iterator[dict[str, Any]]:
        """Yield `removed` of every row that goes, in order."""
        gone = np.flatnonzero(self.reasons != STAYS)
        for start in range(0, len(gone), ROWS_AT_ONCE):
            yield from self.removed(gone[start : start + ROWS_AT_ONCE])

    def removed(self, rows: np.ndarray) -> list[dict[str, Any]]:
        """Say of some rows that go why, and of which row that stays they are a duplicate.

        Args:
            rows: numbers among all, older ones first.
        """
        texts, of_texts = (
            self.texts.take(pa.array(numbers)).to_pylist()
            for numbers in (rows, np.maximum(self.of[rows], 0))
        )
        return [
            {
                "row": row - self.older + 1,
                "text": text,
                "reason": REASONS[self.reasons[row]],
                "of": None if of < 0 else "older" if of < self.older else "input",
                "of_row": None if of < 0 else of + 1 - (self.older if of >= self.older else 0),
                "of_text": None if of < 0 else of_text,
                "similarity": None if of < 0 else float(self.similarities[row]),
            }
            for row, of, text, of_text in zip(
                rows.tolist(), self.of[rows].tolist(), texts, of_texts, strict=True
            )
        ]


def find(
    rows: Rows,
    encoder: SentenceEncoder,
    threshold: float | None = None,
    older: Rows | None = None,
    encode: Encode = encode_here,
) -> Dedup:
    """Find the rows that say the same as an earlier one.

    A row goes if it is blank, if its text reads as an earlier one does (exact), or if its
    similarity to an earlier one that stays is above the threshold (near).

    Args:
        rows: to be looked at, in their order.
        encoder: compares them.
        threshold: None: that of the model.
        older: rows that stay whatever they are like, and come before all others.
        encode: where texts are encoded.

    Raises:
        UserError: an input cannot be used.
    """
    limit = encoder.threshold if threshold is None else threshold
    before = older.texts() if older else pa.array([], pa.large_string())
    texts = pa.concat_arrays([before, rows.texts()])
    texts_read = TextSet(texts, encoder)
    kind = encoder.recipe.evaluation.similarity
    with tempfile.TemporaryDirectory(prefix="siamese-dedup-") as temporary:
        embeddings = texts_read.embeddings(Path(temporary) / "embeddings", encode)
        cells = make_cells(embeddings, kind, limit)
        first_new = int(np.searchsorted(texts_read.compared, len(before)))
        with progress("comparing", len(embeddings) - first_new, "texts") as advance:
            kept = Path(temporary) / "kept"
            near = find_duplicates(embeddings, kind, limit, cells, first_new, kept, advance)
        del embeddings
    # From the texts that were compared to all rows.
    of = np.arange(len(texts))
    similarities = np.ones(len(texts))
    gone = near.of >= 0
    of[texts_read.compared[gone]] = texts_read.compared[near.of[gone]]
    similarities[texts_read.compared[gone]] = near.similarities[gone]
    of, similarities = of[texts_read.first], similarities[texts_read.first]
    numbers = np.arange(len(texts))
    reasons = np.where(of == numbers, STAYS, np.where(of == texts_read.first, EXACT, NEAR))
    reasons[texts_read.is_blank] = BLANK
    reasons[: len(before)] = STAYS
    of[(reasons == STAYS) | (reasons == BLANK)] = -1
    return Dedup(
        texts,
        len(before),
        reasons.astype(np.int8),
        of,
        similarities,
        limit,
        texts_read.unknown,
        cells.recall,
    )


def write(found: Dedup, rows: Rows, output: str | None, report: str | None) -> None:
    """Write the rows that stay, with all their columns, and what goes and why.

    Args:
        found: what `find` found.
        rows: the same, which are read again.
        output: a file or URI for the rows that stay; None: nowhere.
        report: one for those that go; None: nowhere.

    Raises:
        UserError: a row cannot be written so, or the input has changed.
    """
    report_ending = check_rows_output(report, rows.inputs) if report else ""
    if output:
        _write_kept(found, rows, output)
    if report:
        gone = found.report()
        with writing(report, report_ending, REPORT) as target:
            while part := list(islice(gone, ROWS_AT_ONCE)):
                target.write(part)


def _write_kept(found: Dedup, rows: Rows, output: str) -> None:
    every = [*rows.inputs]
    ending = check_rows_output(output, every, (*ENDINGS, ".txt"))
    columns = _columns(rows, ending)
    stays = found.reasons[found.older :] == STAYS
    with writing(output, ending, columns) as target:
        read = iter(rows)
        for start in range(0, len(stays), ROWS_AT_ONCE):
            part = list(islice(read, ROWS_AT_ONCE))
            own = stays[start : start + ROWS_AT_ONCE]
            if len(part) != len(own):
                raise UserError(f"{', '.join(every)}: changed while it was read. Start again.")
            chosen = [row for row, stay in zip(part, own.tolist(), strict=True) if stay]
            if ending != ".jsonl":
                chosen = [{name: row.get(name) for name in columns} for row in chosen]
            target.write(chosen)


def _columns(rows: Rows, ending: str) -> Mapping[str, pa.DataType]:
    """Find the columns of all rows; for Parquet, their types too."""
    columns: dict[str, pa.DataType] = {}
    read = iter(rows)
    while part := list(islice(read, ROWS_AT_ONCE)):
        for row in part:
            for name in row:
                columns.setdefault(name, pa.null())
        if ending == ".parquet":
            for name, so_far in columns.items():
                columns[name] = _joined(so_far, [row.get(name) for row in part], name)
    if ending == ".txt" and len(columns) > 1:
        raise UserError(
            f"the input has the columns {', '.join(columns)}, which a .txt file cannot hold. Name "
            "--output .csv, .tsv, .jsonl or .parquet."
        )
    return columns


def _joined(so_far: pa.DataType, values: list[Any], name: str) -> pa.DataType:
    """Return a type for the values so far and further ones."""
    try:
        schemas = [pa.schema([(name, kind)]) for kind in (so_far, pa.array(values).type)]
        joined: pa.DataType = pa.unify_schemas(schemas, promote_options="permissive")[0].type
        return joined
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise UserError(
            f"column {name!r} holds values of several types ({error}). Name --output .jsonl, which "
            "can hold them."
        ) from None


def examples(found: Dedup, count: int = 3) -> list[dict[str, Any]]:
    """Return some of the near duplicates, spread over all of them: see `Dedup.removed`."""
    near = np.flatnonzero(found.reasons == NEAR)
    if not len(near):
        return []
    return found.removed(near[np.unique(np.linspace(0, len(near) - 1, count).astype(np.int64))])
