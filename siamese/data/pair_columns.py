"""Which columns of a table, or keys of an object, hold labelled pairs or triplets."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from siamese.data.grades import PairRow, label_as_string
from siamese.data.group import shorten
from siamese.data.records import folded_name
from siamese.errors import UserError

LABEL_COLUMNS = ("label", "labels", "similar", "is_duplicate", "target", "y", "标签")
# What columns of grades are called, or their names begin with.
GRADE_COLUMNS = ("score", "grade", "similarity", "relevance")
TEXT_COLUMNS = (
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("query1", "query2"),
    ("text_a", "text_b"),
    ("sentence_a", "sentence_b"),
    ("premise", "hypothesis"),
)
ANCHOR_COLUMNS = ("anchor", "query")
# The cells of a row, of all columns or of those that are needed.
Cells = Sequence[Any] | Mapping[int, Any]
_POSITIVE = re.compile(r"pos(itives?)?(_?[0-9]+)?")
_NEGATIVE = re.compile(r"neg(atives?)?(_?[0-9]+)?")


@dataclass(frozen=True)
class PairColumns:
    """Columns of two texts and a label or grade.

    Attributes:
        positions: of the first text's, the other's and the label's.
        names: theirs.
    """

    positions: tuple[int, int, int]
    names: tuple[str, str, str]

    @property
    def holds(self) -> str:
        """Say what a row holds, and the name of its label: all rows of a table hold the same."""
        return f"two texts and {self.names[2]!r}"

    def rows(self, where: str, cells: Cells) -> Iterator[PairRow]:
        """Yield the labelled pair of a row.

        Args:
            where: the row's place, for messages.
            cells: by position, of any types.

        Raises:
            UserError: a text is no string.
        """
        text1, text2, label = (cells[position] for position in self.positions)
        if not (isinstance(text1, str) and isinstance(text2, str)):
            raise UserError(
                f"{where}: the texts must be strings, found {shorten(text1)} and {shorten(text2)} "
                f"({self.names[0]}, {self.names[1]})."
            )
        written = label_as_string(label).strip()
        yield PairRow(where, text1, text2, written, column=self.names[2])


@dataclass(frozen=True)
class TripletColumns:
    """Columns of a text, of texts that mean the same, and of texts that do not.

    A cell of the latter two may hold a text or a list of texts; one of negatives may be empty.

    Attributes:
        anchor: the position of the text's.
        positives: those of the texts that mean the same.
        negatives: those of the others.
    """

    anchor: int
    positives: tuple[int, ...]
    negatives: tuple[int, ...]

    @property
    def holds(self) -> str:
        """Say what a row holds: all rows of a table hold the same."""
        return "an anchor, positives and negatives"

    @property
    def positions(self) -> tuple[int, ...]:
        """Return the positions of all columns."""
        return self.anchor, *self.positives, *self.negatives

    def rows(self, where: str, cells: Cells) -> Iterator[PairRow]:
        """Yield the labelled pairs of a row: the anchor with each positive, then each negative.

        Args:
            where: the row's place, for messages.
            cells: by position, of any types.

        Raises:
            UserError: a text is no string.
        """
        anchor = cells[self.anchor]
        for label, columns in (("1", self.positives), ("0", self.negatives)):
            for column in columns:
                cell = cells[column]
                if label == "0" and _is_missing(cell):
                    continue
                for text in cell if isinstance(cell, list | tuple) else [cell]:
                    if not (isinstance(anchor, str) and isinstance(text, str)):
                        raise UserError(
                            f"{where}: the texts must be strings, found {shorten(anchor)} and "
                            f"{shorten(text)}."
                        )
                    yield PairRow(where, anchor, text, label)


def _is_missing(cell: Any) -> bool:
    """Say whether a cell is blank, or what stands for a missing value in a table."""
    return cell is None or cell != cell or (isinstance(cell, str) and not cell.strip())


def find_label_column(names: Sequence[str]) -> int | None:
    """Find the column of labels or grades by its name; None: there is none."""
    folded = [folded_name(name) for name in names]
    for known in (*LABEL_COLUMNS, *GRADE_COLUMNS):
        if known in folded:
            return folded.index(known)
    beginning = [p for p, name in enumerate(folded) if name.startswith(GRADE_COLUMNS)]
    return beginning[0] if len(beginning) == 1 else None


def find_columns(names: Sequence[str]) -> PairColumns | TripletColumns | None:
    """Find out by the names of columns what labelled pairs or triplets they hold.

    Args:
        names: of all columns.

    Returns:
        None: the names do not say it.
    """
    folded = [folded_name(name) for name in names]
    # A column without a name is pandas' index, or what follows a comma too many.
    named = [position for position, name in enumerate(folded) if name]
    label = find_label_column(names)
    for first, second in TEXT_COLUMNS:
        if first in folded and second in folded:
            texts = folded.index(first), folded.index(second)
            left = [position for position in named if position not in texts]
            if label is None and len(left) == 1:
                [label] = left
            return None if label is None else _pair_columns(names, *texts, label)
    others = [position for position in named if position != label]
    if label is not None and len(others) == 2:
        return _pair_columns(names, others[0], others[1], label)
    anchors = [folded.index(name) for name in ANCHOR_COLUMNS if name in folded]
    positives = tuple(p for p, name in enumerate(folded) if _POSITIVE.fullmatch(name))
    negatives = tuple(p for p, name in enumerate(folded) if _NEGATIVE.fullmatch(name))
    if anchors and positives:
        return TripletColumns(anchors[0], positives, negatives)
    return None


def _pair_columns(names: Sequence[str], text1: int, text2: int, label: int) -> PairColumns:
    return PairColumns((text1, text2, label), (names[text1], names[text2], names[label]))


def holds_pairs(names: Sequence[str]) -> bool:
    """Say whether a table holds labelled pairs or triplets, rather than groups, by its columns."""
    label = find_label_column(names)
    if label is not None and folded_name(names[label]) in LABEL_COLUMNS:
        return True
    return "texts" not in names and find_columns(names) is not None


def checked_columns(names: Sequence[str], where: str) -> PairColumns | TripletColumns:
    """Find the columns as `find_columns` does.

    Args:
        names: of all columns.
        where: the table, for the message.

    Raises:
        UserError: the names do not say what they hold.
    """
    found = find_columns(names)
    if found is None:
        raise UserError(
            f"{where}: has the columns {', '.join(names)}; which of them are the two texts and "
            "the label is not clear. Name them text1, text2 and label."
        )
    return found
