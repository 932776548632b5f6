"""Index: texts that can be searched, and changed, on the disk or at a URI."""

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from siamese.encoder.sentence_encoder import SentenceEncoder
from siamese.errors import UserError
from siamese.search.arguments import checked_ids, checked_k, checked_queries, checked_threshold
from siamese.search.change import Change
from siamese.search.encoder_of_index import check_encoder, encoder_of, remembered_encoder
from siamese.search.entry import Entry, checked_entries
from siamese.search.index_folder import IndexFolder
from siamese.search.manifest import FILE, MANIFEST, Manifest
from siamese.search.state import State, open_state
from siamese.storage.ownership import MARKS


class Hit(NamedTuple):
    """A text that was found.

    Attributes:
        id: of the entry.
        text: of the entry.
        score: its similarity to the query, as `encoder.similarity` computes it.
        fields: of the entry.
    """

    id: str
    text: str
    score: float
    fields: dict[str, Any]


class Index:
    """Finds the texts that are most similar to a question; by `Index.build` and `Index.open`.

    Up to 100,000 texts all are compared, so that the nearest are found exactly; of more nearly
    always (`approximate.py`). Several threads may search at once. Changes are atomic: whoever
    searches meanwhile, here or in another process, finds all of a change or nothing of it.

    Example:
        >>> index = Index.build(["怎么退票", "如何改密码"], encoder, "faq-index")
        >>> index.search("退票怎么办", k=1)
        [Hit(id='1', text='怎么退票', score=0.91, fields={})]
        >>> index.search("今天天气真好")  # nothing is above the threshold
        []

    Attributes:
        location: its folder, a path or URI.
        encoder: what it was built with.
    """

    def __init__(self, folder: IndexFolder, encoder: SentenceEncoder) -> None:
        self.location = folder.location
        self.encoder = encoder
        self._folder = folder
        self._lock = threading.RLock()  # of changes; who searches takes a state, which stays
        self._state = open_state(folder)
        check_encoder(self.location, self._state.manifest, encoder)

    @classmethod
    def build(
        cls,
        entries: Iterable[Entry | str],
        encoder: SentenceEncoder | str | Path,
        output: str | Path,
        threshold: float | None = None,
        fresh: bool = False,
        show_progress_bar: bool = False,
    ) -> "Index":
        """Build an index of texts.

        Args:
            entries: texts, alone or with an id and fields each.
            encoder: a model folder or its URI, which the index remembers; or an encoder, which then
                has to be given to `open` too.
            output: the index's folder, a path or URI.
            threshold: hits are above it; None: the model's own.
            fresh: replace an index that is there.
            show_progress_bar: show a bar with the rate and the time left.

        Raises:
            UserError: an entry or the model cannot be used, an id occurs twice, there is no entry,
                or `output` is in the way.
        """
        encoder, model = encoder_of(encoder)
        least = checked_threshold(
            encoder.threshold if threshold is None else threshold, -sys.float_info.max
        )
        folder = IndexFolder(output)
        with folder.owned():
            old = _replaceable(folder, fresh)
            manifest = Manifest(
                fingerprint=encoder.fingerprint,
                model=model,
                similarity=encoder.recipe.evaluation.similarity,
                dim=encoder.embedding_dim,
                threshold=least,
                numbered=old.numbered if old else 0,
                commits=old.commits if old else 0,
            )
            with folder.tidied():
                change = Change(folder, State(manifest), encoder, show_progress_bar)
                if not change.append(checked_entries(entries)):
                    raise UserError("there is no text to index.")
                folder.commit(change.manifest(), old)
        return cls(folder, encoder)

    @classmethod
    def open(
        cls, location: str | Path, encoder: SentenceEncoder | str | Path | None = None
    ) -> "Index":
        """Open an index; its files are mapped into memory, of one at a URI copies.

        Args:
            location: its folder, a path or URI.
            encoder: the encoder that it was built with, or where its model is; None: where the
                index remembers it to be.

        Raises:
            UserError: it is no index, damaged or of another version, or the model is another one
                or not there.
        """
        folder = IndexFolder(location)
        if encoder is None:
            encoder = remembered_encoder(folder)
        return cls(folder, encoder_of(encoder)[0])

    def __len__(self) -> int:
        return len(self._state)

    @property
    def threshold(self) -> float:
        """Return what hits are above, unless a search says otherwise."""
        return self._state.manifest.threshold

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of its encoder."""
        return self._state.manifest.fingerprint

    @property
    def version(self) -> str:
        """Return what changes with each change of the index; see `version_at`."""
        return self._state.manifest.version

    def refresh(self) -> bool:
        """Take up what other processes have changed; say whether that was anything.

        Raises:
            UserError: the index is gone, damaged, or now one of another model.
        """
        with self._lock:
            if self._folder.version() == self.version:
                return False
            state = open_state(self._folder, self._state)
            check_encoder(self.location, state.manifest, self.encoder)
            self._state = state
            return True

    def search(self, query: str, k: int | None = None, threshold: float | None = None) -> list[Hit]:
        """Find the texts that are most similar to a question: see `search_many`."""
        return self.search_many([query], k, threshold)[0]

    def search_many(
        self, queries: Sequence[str], k: int | None = None, threshold: float | None = None
    ) -> list[list[Hit]]:
        """Find the texts that are most similar to each of some questions.

        Args:
            queries: the questions.
            k: how many texts to find for each, at most; None: 5, or all if there are fewer.
            threshold: hits have a similarity above it; None: the index's own. `-math.inf`: find
                the nearest in any case.

        Returns:
            The hits of each question, the most similar first, of equally similar ones the one that
            was added first; none where nothing is above the threshold: the index abstains.

        Raises:
            UserError: a question is empty or no string, or k is below 1 or above the index's size.
        """
        state = self._state
        count = checked_k(k, len(state))
        least = state.manifest.threshold if threshold is None else checked_threshold(threshold)
        queries = checked_queries(queries)
        if not queries or not count:
            return [[] for _ in queries]
        found = state.find(self.encoder.encode(queries), count)
        return [list(_hits(state, *each, least)) for each in found]

    def get(self, ids: Iterable[str]) -> list[Entry | None]:
        """Return the entries of some ids; None for one that is not in the index."""
        state = self._state
        places = state.rows_of(checked_ids(ids))
        return [place and state.segments[place[0]].entry(place[1]) for place in places]

    def add(self, entries: Iterable[Entry | str], show_progress_bar: bool = False) -> int:
        """Add entries; the number of those.

        Raises:
            UserError: an entry cannot be used, an id is in the index already or occurs twice, or
                another process is changing the index. Then nothing has been changed.
        """
        with self._changing(show_progress_bar) as change:
            return change.append(checked_entries(entries))

    def replace(self, entries: Iterable[Entry], show_progress_bar: bool = False) -> int:
        """Put entries in the place of those of the same ids; the number of those.

        Raises:
            UserError: as in `add`, or an id is not in the index.
        """
        with self._changing(show_progress_bar) as change:
            return change.append(checked_entries(entries, with_ids=True), replacing=True)

    def remove(self, ids: Iterable[str]) -> int:
        """Remove the entries of some ids; the number of those.

        Raises:
            UserError: an id is not in the index, or another process is changing the index. Then
                nothing has been changed.
        """
        with self._changing() as change:
            return change.remove(list(dict.fromkeys(checked_ids(ids))))

    @contextmanager
    def _changing(self, show_progress_bar: bool = False) -> Iterator[Change]:
        """Own the index, and make what the block does to it its new state."""
        with self._lock, self._folder.owned():
            self.refresh()
            old = self._state.manifest
            self._folder.clean(old)  # what a killed process left
            with self._folder.tidied():
                change = Change(self._folder, self._state, self.encoder, show_progress_bar)
                yield change
                new = change.manifest()
                if new.segments == old.segments:
                    self._folder.clean(old)
                    return
                self._folder.commit(new, old)
            self._state = open_state(self._folder, self._state)


def _replaceable(folder: IndexFolder, fresh: bool) -> Manifest | None:
    """Return the manifest of the index that is replaced; None: there is none."""
    others = [n for n in folder.names() if n not in (*MARKS, MANIFEST) and not FILE.fullmatch(n)]
    others = [name for name in others if not name.startswith(f".{MANIFEST}.")]
    if others:
        raise UserError(
            f"{folder.location}: holds something else ({others[0]}). Choose a new folder."
        )
    if MANIFEST not in folder.names():
        return None
    if not folder.is_index():
        raise UserError(f"{folder.location}: holds something else. Choose a new folder.")
    if not fresh:
        raise UserError(
            f"{folder.location}: holds an index. Replace it with --fresh, add to it with --add, or "
            "choose another folder."
        )
    try:
        return folder.read()
    except UserError:  # it is damaged, and replaced for that
        folder.clean(None)
        return None


def _hits(state: State, numbers: np.ndarray, scores: np.ndarray, threshold: float) -> Iterator[Hit]:
    for number, score in zip(numbers.tolist(), scores.tolist(), strict=True):
        if score > threshold:
            entry = state.entry(number)
            yield Hit(entry.id, entry.text, score, entry.fields)
