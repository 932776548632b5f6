"""What an index consists of at a moment: a manifest, and its segments, open."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from siamese.encoder.nearest import Found, joined
from siamese.errors import UserError
from siamese.search.entry import Entry
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import Manifest
from siamese.search.segment import Segment


@dataclass(frozen=True)
class State:
    """A state of an index. It stays what it is, whatever becomes of the index.

    Attributes:
        manifest: of it.
        segments: of it; the texts are numbered through all of them.
    """

    manifest: Manifest
    segments: tuple[Segment, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.segments))

    def find(self, queries: np.ndarray, count: int) -> list[Found]:
        """Find the nearest texts to each of some embeddings `[queries, dim]`: their numbers."""
        found: list[list[Found]] = [[] for _ in queries]
        start = 0
        for segment in self.segments:
            for query, (rows, scores) in enumerate(segment.find(queries, count)):
                found[query].append((rows + start, scores))
            start += segment.record.rows
        return [joined(parts, count) for parts in found]

    def entry(self, number: int) -> Entry:
        """Return the entry of a number that `find` returned."""
        for segment in self.segments:
            if number < segment.record.rows:
                return segment.entry(number)
            number -= segment.record.rows
        raise IndexError(number)

    def rows_of(self, ids: Sequence[str]) -> list[tuple[int, int] | None]:
        """Find the segment and the row of each id; None: it is not in the index."""
        found: list[tuple[int, int] | None] = [None] * len(ids)
        for number, segment in enumerate(self.segments):
            for place, row in enumerate(segment.rows_of(ids)):
                if row is not None:
                    found[place] = number, row
        return found


def open_state(folder: IndexFolder, known: State | None = None) -> State:
    """Open the state that an index folder is in now.

    Args:
        folder: the index folder.
        known: an earlier state, whose segments need not be opened again.

    Raises:
        UserError: it is no index, damaged, incomplete or of another version.
    """
    while True:
        manifest = folder.read()
        opened = {segment.record.name: segment for segment in known.segments} if known else {}
        segments = []
        try:
            for record in manifest.segments:
                segment = opened.get(record.name)
                if segment is None or segment.record != record:
                    segment = Segment(folder, record, manifest.dim, manifest.similarity)
                segments.append(segment)
            folder.forget(manifest)
            return State(manifest, tuple(segments))
        except FileNotFoundError as error:
            # A writer has removed it just now; unless there is no newer state.
            if folder.version() == manifest.version:
                raise UserError(
                    f"{folder.location}: a file of the index is missing ({error.filename or error})"
                    ". Build or copy the index again."
                ) from None
