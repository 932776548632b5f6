"""Groups, labelled pairs and texts, read from files of every accepted format.

| file | holds |
| --- | --- |
| `.json` | the notebook's `{id: [text, …]}`, or JSON Lines |
| `.jsonl` | a group, a labelled pair or a triplet a line: `formats/json_lines.py` |
| `.tsv`, `.txt` | labelled pairs `text1 ⇥ text2 ⇥ label`, or what a header says; no quoting |
| `.csv` | the same, separated by commas, quoted as CSV |
| `.parquet`, `.arrow` | groups (`id` or `group_id`, `texts`, `negatives`), pairs or triplets |

The names of columns are in `pair_columns.py`, labels and grades in `grades.py`.
All but Parquet and Arrow may be packed with gzip, zstd, bzip2, lz4 or zip (`packed.py`), and be in
another encoding than UTF-8 (`encodings.py`). The folder of a data set is read as the groups in it.

Groups are read as a stream. Labelled pairs become groups by joining the positive ones, which holds
all pairs in memory (`joining.py`).
"""

import sys
from collections.abc import Iterable, Iterator
from functools import partial

from siamese.data.cleaning import ReadingCounts
from siamese.data.format import Format, find_inputs
from siamese.data.grades import to_pairs
from siamese.data.group import Group
from siamese.data.pair import Pair, require_both_labels
from siamese.data.splitting import plan_pieces
from siamese.errors import UserError


def read_groups(
    inputs: list[str],
    counts: ReadingCounts,
    format: str | Format | None = None,
    encoding: str | None = None,
) -> Iterator[Group]:
    """Yield the groups of all inputs of two different texts or more, or with negatives or pairs.

    Duplicate texts of a group are folded and other groups of one text are dropped; all is counted
    in `counts`, as is every character read. Group ids are prefixed with the file's name when
    several files are read, so that they stay distinct.

    Args:
        inputs: files, globs, folders or URIs.
        counts: is added to.
        format: the format of all files: a name, or an object; None: their suffixes say it.
        encoding: of all text files, such as `gb18030`; None: the beginning of each says it.

    Raises:
        UserError: an input is missing, empty, of another shape or encoding, or has an empty text.
    """
    for piece in plan_pieces(inputs, sys.maxsize, format, encoding):
        for batch in piece.read(counts):
            yield from batch


def read_pairs(
    inputs: list[str], format: str | Format | None = None, encoding: str | None = None
) -> list[Pair]:
    """Read labelled pairs to evaluate an encoder on.

    Args:
        inputs: files, globs, folders or URIs.
        format: as in `read_groups`.
        encoding: as in `read_groups`.

    Raises:
        UserError: an input is missing, empty or malformed, or the pairs are not of both labels.
    """
    files = find_inputs(inputs, format, encoding)
    for file, own_format in files:
        if own_format.holds(file) != "pairs":
            raise UserError(
                f"{file}: holds no labelled pairs. Give text1, text2 and label in a .tsv, .txt, "
                ".csv, .jsonl or .parquet file."
            )
    tell = partial(print, file=sys.stderr, flush=True)
    pairs = [
        pair for file, own in files for pair in to_pairs(own.pair_rows(file), str(file), tell=tell)
    ]
    require_both_labels(pairs, ", ".join(inputs))
    return pairs


class Texts(Iterable[str]):
    """Every text of some inputs, for training vectors or for encoding; read as often as asked.

    Besides groups and pairs, a `.txt` file may hold one text a line and a Parquet file a column
    `text` (such as `siamese encode` writes). Of groups it is the texts, without hard negatives.
    Order is kept and nothing is dropped, so that what comes out lines up with what went in.

    Args:
        inputs: files, globs, folders or URIs.
        format: as in `read_groups`.
        encoding: as in `read_groups`.

    Raises:
        UserError: here or on the way: an input is missing, empty, of another shape or encoding.
    """

    def __init__(
        self, inputs: list[str], format: str | Format | None = None, encoding: str | None = None
    ) -> None:
        self._files = find_inputs(inputs, format, encoding)

    def __iter__(self) -> Iterator[str]:
        for file, own_format in self._files:
            yield from own_format.texts(file)


def read_texts(
    inputs: list[str], format: str | Format | None = None, encoding: str | None = None
) -> Iterator[str]:
    """Yield every text of the inputs once: see `Texts`."""
    yield from Texts(inputs, format, encoding)
