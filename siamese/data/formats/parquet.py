"""Parquet: groups (`id` or `group_id`, `texts`, `negatives`, `pairs`), or labelled pairs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from siamese.data.data_file import DataFile
from siamese.data.format import WHOLE_FILE, FileRange, Format
from siamese.data.grades import PairRow
from siamese.data.group import Group
from siamese.data.pair_columns import holds_pairs
from siamese.data.records import Record
from siamese.data.tables import groups_in, pair_rows_in, records_in, texts_in
from siamese.errors import UserError
from siamese.storage.packed import EXPANSION, EXPANSION_FREE


class Parquet(Format):
    """A `.parquet` file. The names of its columns say what it holds. Its ranges are row groups."""

    suffixes = (".parquet",)

    def holds(self, file: DataFile) -> Literal["groups", "pairs"]:
        """Say whether it is groups or pairs, by the names of the columns."""
        with _open(file) as parquet:
            names = parquet.schema_arrow.names
        return "pairs" if holds_pairs(names) else "groups"

    def ranges(self, file: DataFile, size: int) -> Iterator[FileRange]:
        """Cut the file into ranges of whole row groups of `size` bytes or more."""
        if file.size() <= size:
            yield FileRange(0, None, file.size())
            return
        with _open(file) as parquet:
            metadata = parquet.metadata
        start = gathered = 0
        for number in range(metadata.num_row_groups):
            gathered += metadata.row_group(number).total_byte_size
            if gathered >= size or number == metadata.num_row_groups - 1:
                yield FileRange(start, number + 1, gathered)
                start, gathered = number + 1, 0

    def groups(self, file: DataFile, range_: FileRange = WHOLE_FILE) -> Iterator[Group]:
        """Yield a group of each row."""
        with _open(file) as parquet:
            end = parquet.num_row_groups if range_.end is None else range_.end
            read = partial(_batches, parquet, row_groups=range(range_.start, end))
            yield from groups_in(parquet.schema_arrow.names, read, str(file))

    def pair_rows(self, file: DataFile) -> Iterator[PairRow]:
        """Yield the pairs of every row."""
        with _open(file) as parquet:
            yield from pair_rows_in(
                parquet.schema_arrow.names, partial(_batches, parquet), str(file)
            )

    def texts(self, file: DataFile) -> Iterator[str]:
        """Yield the column `text`, such as `siamese encode` writes, if there is one."""
        with _open(file) as parquet:
            if "text" in parquet.schema_arrow.names:
                yield from texts_in(partial(_batches, parquet), str(file))
                return
        yield from super().texts(file)

    def records(self, file: DataFile, column: str | None = None) -> Iterator[Record]:
        """Yield every row with its text; of groups and pairs every text."""
        with _open(file) as parquet:
            names = parquet.schema_arrow.names
            found = records_in(names, partial(_batches, parquet), str(file), column)
            if found is not None:
                yield from found
                return
        yield from super().records(file)


def _batches(
    parquet: pq.ParquetFile, columns: list[str], row_groups: range | None = None
) -> Iterator[pa.RecordBatch]:
    return parquet.iter_batches(4096, row_groups=row_groups, columns=columns)


@contextmanager
def _open(file: DataFile) -> Iterator[pq.ParquetFile]:
    """Open Parquet; report a file that is damaged or not Parquet by its name."""
    if file.packing:
        raise UserError(
            f"{file}: is packed with {file.packing}, and Parquet is read from many places in the "
            "file. Unpack it: Parquet is compressed already."
        )
    try:
        with file.open_packed() as stream:
            parquet = pq.ParquetFile(stream)
            metadata = parquet.metadata
            row_groups = map(metadata.row_group, range(metadata.num_row_groups))
            size = sum(row_group.total_byte_size for row_group in row_groups)
            if size > max(EXPANSION_FREE, EXPANSION * file.size()):
                raise UserError(
                    f"{file}: unpacks to more than {EXPANSION} times its size, as no text does. "
                    "Write it again, if it is meant to."
                )
            yield parquet
    except (pa.ArrowException, OSError, UnicodeDecodeError, MemoryError, OverflowError) as error:
        raise UserError(
            f"{file}: not Parquet, or damaged ({error}). Write or download it again."
        ) from None


def build() -> Parquet:
    """Make the format."""
    return Parquet()
