"""A segment: texts of an index that were written together, with their embeddings and ids."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from siamese.config.recipe import Similarity
from siamese.encoder.nearest import Found, Nearest
from siamese.errors import UserError
from siamese.search.approximate import Graph, build_graph
from siamese.search.entry import Entry
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import Record

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("fields", pa.string())])
# Entries, and embeddings, that are written at a time.
ENTRIES_AT_ONCE = 8192


class Segment:
    """A segment that is open: its files are mapped into memory.

    Args:
        folder: whose segment it is.
        record: what the manifest says of it.
        dim: of its embeddings.
        kind: of similarity.

    Raises:
        FileNotFoundError: a file is not there.
        UserError: a file is damaged.
    """

    def __init__(self, folder: IndexFolder, record: Record, dim: int, kind: Similarity) -> None:
        folder.fetch(record)
        self.record = record
        self._here = folder.here
        self._kind: Similarity = kind
        try:
            self.embeddings = self._array("embeddings", np.float32, (record.rows, dim))
            self._ids = self._array("ids", np.uint64, (2, record.rows))
            deleted = np.zeros(0, np.int64)
            if record.deleted:
                deleted = self._array("deleted", np.int64, (record.deleted,))
            self.is_deleted = np.zeros(record.rows, bool)
            self.is_deleted[deleted] = True
            with pa.memory_map(str(self._path("entries"))) as source:
                self.entries = pa.ipc.open_file(source).read_all()
            self.entries.validate(full=True)  # somebody else's offsets may lead anywhere
            if self.entries.schema != SCHEMA or len(self.entries) != record.rows:
                raise ValueError("it holds other columns or rows")
            # Now, and not when it is needed: a writer may remove the file.
            is_large = record.file("graph") is not None
            self._graph = Graph(self._path("graph"), self.embeddings, kind) if is_large else None
        except (pa.ArrowException, ValueError, IndexError, EOFError) as error:
            raise UserError(
                f"{folder.location}: {record.name} is damaged ({error}). Build or copy the index "
                "again."
            ) from None

    def _path(self, ending: str) -> Path:
        name = self.record.file(ending)
        if name is None:
            raise ValueError(f"it has no {ending}")
        return self._here / name

    def _array(self, ending: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        array = np.load(self._path(ending), mmap_mode="r", allow_pickle=False)
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"its {ending} are {array.dtype} {[*array.shape]}")
        return array

    def __len__(self) -> int:
        return self.record.rows - self.record.deleted

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self.embeddings, self._kind)

    def find(self, queries: np.ndarray, count: int) -> list[Found]:
        """Find the nearest texts to each query, by a graph if the segment has one."""
        if self._graph and (found := self._graph.find(queries, count, self.is_deleted)):
            return found
        return self._nearest.find(queries, count, self.is_deleted if self.record.deleted else None)

    def entry(self, row: int) -> Entry:
        """Return the entry of a row."""
        entry_id, text, fields = (self.entries[name][row].as_py() for name in SCHEMA.names)
        return Entry(entry_id, text, json.loads(fields))

    def rows_of(self, ids: Sequence[str]) -> list[int | None]:
        """Find the row of each id; None: it is not here, or not any more."""
        hashes, rows = self._ids
        wanted = hashes_of(ids)
        starts, ends = (np.searchsorted(hashes, wanted, side) for side in ("left", "right"))
        return [
            next((row for row in rows[start:end].tolist() if self._is(row, each)), None)
            for each, start, end in zip(ids, starts, ends, strict=True)
        ]

    def _is(self, row: int, entry_id: str) -> bool:
        return not self.is_deleted[row] and self.entries["id"][row].as_py() == entry_id

    def live_entries(self) -> pa.Table:
        """Return the entries that are still there."""
        return self.entries.filter(pa.array(~self.is_deleted))

    def live_embeddings(self) -> Iterator[np.ndarray]:
        """Yield the embeddings that are still there, some at a time."""
        for start in range(0, self.record.rows, ENTRIES_AT_ONCE):
            rows = slice(start, start + ENTRIES_AT_ONCE)
            yield self.embeddings[rows][~self.is_deleted[rows]]


def hashes_of(ids: Iterable[str]) -> np.ndarray:
    """Return a hash of each id, uint64 `[ids]`."""
    data = b"".join(blake2b(each.encode(), digest_size=8).digest() for each in ids)
    return np.frombuffer(data, "<u8").astype(np.uint64)


class NewSegment:
    """A segment that is being written: its entries, then their embeddings, then the rest.

    Args:
        folder: where to.
        number: of the segment.
    """

    def __init__(self, folder: IndexFolder, number: int) -> None:
        folder.here.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.name = f"segment-{number:08}"
        self.rows = 0

    def _path(self, ending: str) -> Path:
        return self._folder.here / f"{self.name}.{ending}"

    def write_entries(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write entries as they come, and the hashes of their ids.

        Raises:
            UserError: an id occurs twice.
        """
        hashes = [np.zeros(0, np.uint64)]
        with pa.ipc.new_file(str(self._path("entries.arrow")), SCHEMA) as target:
            for batch in batches:
                target.write_batch(batch)
                hashes.append(hashes_of(batch["id"].to_pylist()))
                self.rows += len(batch)
        found = np.concatenate(hashes)
        order = np.argsort(found, kind="stable")
        ordered = found[order]
        alike = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(alike):
            ids = self._entries()["id"]
            for place in alike:
                one, other = (ids[row].as_py() for row in order[place : place + 2])
                if one == other:
                    raise UserError(
                        f"the id {one!r} occurs twice. Give each entry an id of its own."
                    )
        np.save(self._path("ids.npy"), np.stack([ordered, order.astype(np.uint64)]))

    def _entries(self) -> pa.Table:
        with pa.memory_map(str(self._path("entries.arrow"))) as source:
            return pa.ipc.open_file(source).read_all()

    def column(self, name: str) -> Iterator[list[str]]:
        """Yield a column of what was written, some rows at a time."""
        for batch in self._entries().select([name]).to_batches(ENTRIES_AT_ONCE):
            yield batch[name].to_pylist()

    def write_embeddings(self, blocks: Iterable[np.ndarray], dim: int) -> None:
        """Write the embeddings of all entries, in their order.

        Args:
            blocks: float32 `[some, dim]` each.
            dim: of the embeddings.
        """
        header = {"descr": "<f4", "fortran_order": False, "shape": (self.rows, dim)}
        with self._path("embeddings.npy").open("wb") as target:
            np.lib.format.write_array_header_1_0(target, header)
            for block in blocks:
                target.write(np.ascontiguousarray(block, "<f4").data)

    def record(self) -> Record:
        """Return what a manifest says of it, when all is written."""
        endings = ("embeddings.npy", "entries.arrow", "ids.npy")
        files = self._folder.describe(self._path(ending).name for ending in endings)
        return Record(self.name, self.rows, 0, files)


def in_batches(entries: Iterable[Entry]) -> Iterator[pa.RecordBatch]:
    """Yield entries as they are written, some at a time."""
    rest = iter(entries)
    while part := list(islice(rest, ENTRIES_AT_ONCE)):
        ids, texts, fields = zip(*part, strict=True)
        written = [json.dumps(each, ensure_ascii=False) for each in fields]
        yield pa.record_batch([pa.array(ids), pa.array(texts), pa.array(written)], schema=SCHEMA)


def with_graph(record: Record, folder: IndexFolder, show_progress_bar: bool) -> Record:
    """Build the graph of a segment, and return what the manifest then says of it."""
    name = f"{record.name}.graph.usearch"
    embeddings = np.load(folder.here / str(record.file("embeddings")), mmap_mode="r")
    build_graph(embeddings, folder.here / name, show_progress_bar)
    return replace(record, files={**record.files, **folder.describe([name])})


def without(segment: Segment, rows: Sequence[int], folder: IndexFolder, commit: int) -> Record:
    """Write which rows of a segment are no longer there.

    Args:
        segment: the segment.
        rows: that were removed now.
        folder: of the index.
        commit: the number of the change.

    Returns:
        What the manifest then says of it.
    """
    is_deleted = segment.is_deleted.copy()
    is_deleted[list(rows)] = True
    deleted = np.flatnonzero(is_deleted)
    name = f"{segment.record.name}.deleted-{commit}.npy"
    np.save(folder.here / name, deleted)
    files = {name: each for name, each in segment.record.files.items() if ".deleted-" not in name}
    files.update(folder.describe([name]))
    return replace(segment.record, deleted=len(deleted), files=files)
