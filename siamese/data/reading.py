"""Groups of paraphrases and labelled pairs, read from every accepted format.

| file | holds |
| --- | --- |
| `.json` | the notebook's `{id: [text, …]}` |
| `.jsonl` | one `{"id": …, "texts": [text, …], "negatives": [text, …]}` a line |
| `.tsv`, `.txt` | labelled pairs `text1 ⇥ text2 ⇥ label`, with or without a header; no quoting |
| `.csv` | the same, separated by commas, quoted as CSV |
| `.parquet` | groups (`id` or `group_id`, `texts`, `negatives`) or pairs (two texts, `label`) |

Groups are read as a stream. Labelled pairs become groups by joining the positive ones, which holds
all pairs in memory (`pairs.py`).
"""

import sys
from collections.abc import Iterator

import pyarrow.parquet as pq

from siamese.data.cleaning import ReadingCounts
from siamese.data.data_file import DataFile, find_files, reading_parquet
from siamese.data.formats.groups import read_group_file
from siamese.data.formats.pairs import is_pair_file, read_pair_file
from siamese.data.group import Group
from siamese.data.splitting import plan_pieces, read_piece
from siamese.errors import UserError

__all__ = ["Group", "ReadingCounts", "read_groups", "read_texts"]


def read_groups(inputs: list[str], counts: ReadingCounts) -> Iterator[Group]:
    """Yield the groups of all inputs that have two different texts or more, or negatives.

    Duplicate texts of a group are folded and other groups of one text are dropped; all is counted
    in `counts`, as is every character read. Group ids are prefixed with the file's name when
    several files are read, so that they stay distinct.

    Raises:
        UserError: an input is missing, empty, of another shape or encoding, or has an empty text.
    """
    for piece in plan_pieces(inputs, piece_bytes=sys.maxsize):
        for batch in read_piece(piece, counts):
            yield from batch


def read_texts(inputs: list[str]) -> Iterator[str]:
    """Yield every text of the inputs, for training vectors or for encoding.

    Besides groups and pairs, a `.txt` file may hold one text a line and a Parquet file a column
    `text` (such as `siamese encode` writes). Order is kept and nothing is dropped, so that what
    comes out lines up with what went in.
    """
    for file in find_files(inputs):
        if file.suffix == ".parquet" and (texts := _read_text_column(file)) is not None:
            yield from texts
        elif is_pair_file(file) and not (file.suffix == ".txt" and not _first_line_is_pair(file)):
            for pair in read_pair_file(file):
                yield pair.text1
                yield pair.text2
        elif file.suffix == ".txt":
            yield from (line for _, line in file.lines())
        else:
            for group in read_group_file(file):
                yield from group.texts


def _read_text_column(file: DataFile) -> list[str] | None:
    with reading_parquet(file), file.open() as stream:
        parquet = pq.ParquetFile(stream)
        if "text" not in parquet.schema_arrow.names:
            return None
        texts = parquet.read(columns=["text"])["text"].to_pylist()
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{file}: the column `text` must hold strings, without missing values.")
    return texts


def _first_line_is_pair(file: DataFile) -> bool:
    first = next(file.lines(), (1, ""))[1]
    return first.count("\t") >= 2
