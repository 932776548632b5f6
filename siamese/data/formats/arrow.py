"""Arrow's own files, as `datasets` of Hugging Face saves them: the same columns as in Parquet."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from siamese.data.data_file import DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.grades import PairRow
from siamese.data.group import Group
from siamese.data.pair_columns import holds_pairs
from siamese.data.records import Record
from siamese.data.tables import groups_in, pair_rows_in, records_in, texts_in
from siamese.errors import UserError


class Arrow(Format):
    """An `.arrow` file: a stream of record batches, or a file with an index of them."""

    suffixes = (".arrow",)

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say whether it is groups or pairs, by the names of the columns."""
        with _open(file) as (names, _):
            return "pairs" if holds_pairs(names) else "groups"

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield a group of each row."""
        with _open(file) as (names, batches):
            yield from groups_in(names, partial(_selected, batches), str(file))

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the pairs of every row."""
        with _open(file) as (names, batches):
            yield from pair_rows_in(names, partial(_selected, batches), str(file))

    def texts(self, file: DataFile) -> Iterator[str]:
        """Yield the column `text`, if there is one."""
        with _open(file) as (names, batches):
            if "text" in names:
                yield from texts_in(partial(_selected, batches), str(file))
                return
        yield from super().texts(file)

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield every row with its text; of groups and pairs every text."""
        with _open(file) as (names, batches):
            found = records_in(names, partial(_selected, batches), str(file), column)
            if found is not None:
                yield from found
                return
        yield from super().records(file)


@contextmanager
def _open(file: DataFile) -> Iterator[tuple[list[str], Iterator[pa.RecordBatch]]]:
    """Open a file for its columns' names and its batches; what is damaged is a sentence."""
    if file.packing:
        raise UserError(f"{file}: is packed with {file.packing}. Unpack it.")
    try:
        with file.open_packed() as stream:
            is_file = stream.read(6) == b"ARROW1"
            stream.seek(0)
            reader = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(stream)
            yield reader.schema.names, _batches(reader)
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise UserError(
            f"{file}: not Arrow, or damaged ({error}). Save or download it again."
        ) from None


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        yield from map(reader.get_batch, range(reader.num_record_batches))
    else:
        yield from reader


def _selected(batches: Iterator[pa.RecordBatch], names: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        selected = batch.select(names)
        selected.validate(full=True)  # somebody else's offsets may lead anywhere
        yield selected


def build() -> Arrow:
    """Make the format."""
    return Arrow()
