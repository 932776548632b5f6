"""A change of an index: what is written beside its old state, and then takes its place."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.progress import progress
from siamese.search.approximate import needs_graph, require_usearch
from siamese.search.entry import Entry
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import Manifest, Record
from siamese.search.segment import (
    ENTRIES_AT_ONCE,
    NewSegment,
    Segment,
    in_batches,
    with_graph,
    without,
)
from siamese.search.state import State

# A segment is joined with what comes after it if it has at most so many times the texts of that: so
# there are few segments, and each text is written again only a few times as an index grows.
GROWTH = 2


class Change:
    """A change that is being made; nobody sees it until its manifest is committed.

    Args:
        folder: of the index, which this process owns.
        state: that is changed.
        encoder: of the index.
        show_progress_bar: show bars with the rate and the time left.
    """

    def __init__(
        self, folder: IndexFolder, state: State, encoder: SentenceEncoder, show_progress_bar: bool
    ) -> None:
        self._folder = folder
        self._state = state
        self._encoder = encoder
        self._show = show_progress_bar
        self._segments = list(state.segments)
        self._made = state.manifest.made
        self._numbered = state.manifest.numbered

    def append(self, entries: Iterable[Entry], replacing: bool = False) -> int:
        """Write new entries.

        Args:
            entries: checked; those without an id get one.
            replacing: whether they take the place of those of the same ids.

        Returns:
            How many there are.

        Raises:
            UserError: an id occurs twice; or it is in the index, or not, if they replace.
        """
        new = self._new_segment()
        new.write_entries(in_batches(self._with_ids(entries)))
        if not new.rows:
            return 0
        if needs_graph(new.rows, self._state.manifest.similarity):
            require_usearch()  # before the texts are encoded
        removed: list[tuple[int, int]] = []
        for ids in new.column("id"):
            removed += self._rows_of(ids, replacing)
        with progress("indexing", new.rows, "texts", show=self._show) as advance:
            new.write_embeddings(self._encoded(new, advance), self._state.manifest.dim)
        self._remove(removed)
        self._segments.append(self._open(new.record()))
        return new.rows

    def remove(self, ids: Sequence[str]) -> int:
        """Remove the entries of some different ids; the number of those.

        Raises:
            UserError: an id is not in the index.
        """
        self._remove(self._rows_of(ids, there=True))
        return len(ids)

    def manifest(self) -> Manifest:
        """Tidy up, and return the manifest of the new state."""
        self._segments = [segment for segment in self._segments if len(segment)]
        self._join_last()
        for place, segment in enumerate(self._segments):
            if 2 * segment.record.deleted > segment.record.rows:
                self._segments[place] = self._joined([segment])
        old = self._state.manifest
        records = [
            record
            if record.file("graph") or not needs_graph(record.rows, old.similarity)
            else with_graph(record, self._folder, self._show)
            for record in (segment.record for segment in self._segments)
        ]
        return replace(
            old,
            made=self._made,
            numbered=self._numbered,
            commits=old.commits + 1,
            segments=tuple(records),
        )

    def _with_ids(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if entry.id:
                yield entry
                continue
            self._made += 1
            while self._state.rows_of([str(self._made)]) != [None]:
                self._made += 1
            yield Entry(str(self._made), entry.text, entry.fields)

    def _rows_of(self, ids: Sequence[str], there: bool) -> list[tuple[int, int]]:
        """Find entries that must be in the index, or must not."""
        found = self._state.rows_of(ids)
        for entry_id, place in zip(ids, found, strict=True):
            if (place is not None) != there:
                raise UserError(
                    f"{self._folder.location}: the id {entry_id!r} is not in the index."
                    if there
                    else f"{self._folder.location}: the id {entry_id!r} is in the index already. "
                    "Replace that entry, or give this one another id."
                )
        return [place for place in found if place is not None]

    def _encoded(self, new: NewSegment, advance: Callable[[int], None]) -> Iterator[np.ndarray]:
        for texts in new.column("text"):
            yield self._encoder.encode(texts)
            advance(len(texts))

    def _remove(self, places: Sequence[tuple[int, int]]) -> None:
        for number, segment in enumerate(self._state.segments):
            if rows := [row for of, row in places if of == number]:
                record = without(segment, rows, self._folder, self._state.manifest.commits + 1)
                self._segments[number] = self._open(record)

    def _join_last(self) -> None:
        """Join the last segments to one, as far as they are not much larger than the next ones."""
        count, size = 0, 0
        for segment in reversed(self._segments):
            if count and len(segment) > GROWTH * size:
                break
            count, size = count + 1, size + len(segment)
        if count > 1:
            self._segments[-count:] = [self._joined(self._segments[-count:])]

    def _joined(self, segments: Sequence[Segment]) -> Segment:
        new = self._new_segment()
        # As one piece: of many small ones, each would take some room of its own.
        entries = pa.concat_tables(segment.live_entries() for segment in segments).combine_chunks()
        new.write_entries(entries.to_batches(ENTRIES_AT_ONCE))
        embeddings = (block for segment in segments for block in segment.live_embeddings())
        new.write_embeddings(embeddings, self._state.manifest.dim)
        return self._open(new.record())

    def _new_segment(self) -> NewSegment:
        self._numbered += 1
        return NewSegment(self._folder, self._numbered)

    def _open(self, record: Record) -> Segment:
        manifest = self._state.manifest
        return Segment(self._folder, record, manifest.dim, manifest.similarity)
